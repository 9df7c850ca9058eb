"""What the agent knows at this moment, and the document that it reports. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from rackrelay.agent.checks.addresses import NodeAddress
from rackrelay.agent.checks.daemons import Finding
from rackrelay.agent.settings import NodeValues

# Where nobody says how many failed requests in a row count: one may meet a reload or a busy moment.
FAILURES_THAT_COUNT = 2
ADDRESS_FIELDS = ("interface", "address", "prefix", "carrier")


@dataclass
class Knowledge:
    """Written by the agent's loops, read by its server.

    `wanted` maps a daemon to the hash of its mounted file, `rejected` to why that is not live. `findings`, `failures`
    (place -> failed requests in a row) and `misses` (how many of those count) are by the name of the check, which
    begins with the daemon's; `answered` holds the daemons that were well at least once. `serial` is what named has
    served within the last second, `peers` the part of the document about other racks. `addresses` is None until the
    kernel has told them once: an agent that has just started must not say that its node has none.
    """

    values: NodeValues
    daemons: tuple[str, ...] = ()
    addresses: tuple[NodeAddress, ...] | None = None
    findings: dict[str, Finding] = field(default_factory=dict)
    failures: dict[str, dict[str, int]] = field(default_factory=dict)
    misses: dict[str, int] = field(default_factory=dict)
    answered: set[str] = field(default_factory=set)
    regions_known: int = 0
    regions_reachable: int = 0
    regions_asked: bool = False
    config_hash: str = ""
    wanted: dict[str, str] = field(default_factory=dict)
    rejected: dict[str, str] = field(default_factory=dict)
    restart_needed: tuple[str, ...] = ()
    serial: int | None = None
    peers: Sequence[Mapping[str, Any]] = ()

    def learn(self, check: str, finding: Finding, misses: int = FAILURES_THAT_COUNT) -> None:
        """Take in what a request to a daemon showed. A place that is not failing begins anew."""
        before = self.failures.get(check, {})
        self.findings[check], self.misses[check] = finding, misses
        self.failures[check] = {place: before.get(place, 0) + 1 for place in finding.failing}
        if finding.ok:
            self.answered.add(check)


def build_document(known: Knowledge) -> dict[str, Any]:
    """The status document of port 5249."""
    return {
        "node": known.values.node_name,
        "pod": known.values.pod_name,
        "addresses": None if known.addresses is None else [_address(a) for a in known.addresses],
        "daemons": {daemon: _daemon(known, daemon) for daemon in known.daemons},
        "regions": {"reachable": known.regions_reachable, "known": known.regions_known},
        "peers": list(known.peers),
        "zone": {"serial": known.serial} if known.serial is not None else None,
        "config": {
            "hash": known.config_hash,
            "applied": bool(known.config_hash) and not known.rejected and not outdated(known),
            "rejected": dict(sorted(known.rejected.items())),
            "restartNeeded": list(known.restart_needed),
        },
    }


def is_complete(known: Knowledge) -> bool:
    """Whether everything that the document is about was looked at once."""
    all_asked = bool(known.daemons) and known.findings.keys() >= set(known.daemons)
    return all_asked and known.regions_asked and known.addresses is not None


def outdated(known: Knowledge) -> list[str]:
    """Daemons that say that they run another configuration than the mounted one."""
    return [d for d, wanted in sorted(known.wanted.items()) if any(r != wanted for r in _running(known, d))]


def _running(known: Knowledge, daemon: str) -> list[str]:
    """The hash that the daemon gave away, if it was asked and told."""
    findings = [known.findings[check] for check in _checks(known, daemon)]
    return [finding.running for finding in findings if finding.running is not None]


def _checks(known: Knowledge, daemon: str) -> list[str]:
    return [check for check in sorted(known.findings) if check.partition(" ")[0] == daemon]


def _daemon(known: Knowledge, daemon: str) -> dict[str, Any]:
    finding = known.findings.get(daemon)
    if finding is None:
        return {"ok": False, "message": "not asked yet"}
    if daemon not in known.answered:
        return {"ok": False, "message": finding.message}
    message = "; ".join(words for check in _checks(known, daemon) for words in _faults(known, check))
    return {"ok": not message, "message": message}


def _faults(known: Knowledge, check: str) -> list[str]:
    """What this check found wrong often enough."""
    failing = known.findings[check].failing
    counting = [place for place, failures in known.failures[check].items() if failures >= known.misses[check]]
    return [f"{place}: {failing[place]}" if place else failing[place] for place in sorted(counting)]


def _address(address: NodeAddress) -> dict[str, Any]:
    return {name: value for name, value in asdict(address).items() if name in ADDRESS_FIELDS}
