"""What the agent knows at this moment, and the document that it reports. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from rackrelay.agent.addresses import NodeAddress
from rackrelay.agent.health import Finding
from rackrelay.agent.settings import NodeValues

# A daemon is failing once this many requests in a row have failed: one may meet a reload or a busy moment.
FAILURES_THAT_COUNT = 2


@dataclass
class Knowledge:
    """Written by the agent's loops, read by its server.

    `wanted` maps a daemon to the hash of its mounted file, `rejected` to why that is not live, `failures` counts
    failed requests in a row, `answered` holds the daemons that were well at least once. `serial` is what named has
    served within the last second, `peers` the part of the document about other racks. `addresses` is None until the
    kernel has told them once: an agent that has just started must not say that its node has none.
    """

    values: NodeValues
    daemons: tuple[str, ...] = ()
    addresses: tuple[NodeAddress, ...] | None = None
    findings: dict[str, Finding] = field(default_factory=dict)
    failures: dict[str, int] = field(default_factory=dict)
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

    def learn(self, daemon: str, finding: Finding) -> None:
        """Take in what a request to a daemon showed."""
        self.findings[daemon] = finding
        self.failures[daemon] = 0 if finding.ok else self.failures.get(daemon, 0) + 1
        if finding.ok:
            self.answered.add(daemon)


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
    return [
        daemon
        for daemon, wanted in sorted(known.wanted.items())
        if (finding := known.findings.get(daemon)) and finding.running is not None and finding.running != wanted
    ]


def _daemon(known: Knowledge, daemon: str) -> dict[str, Any]:
    finding = known.findings.get(daemon)
    if finding is None:
        return {"ok": False, "message": "not asked yet"}
    ok = known.failures[daemon] < FAILURES_THAT_COUNT and daemon in known.answered
    return {"ok": ok, "message": "" if ok else finding.message}


def _address(address: NodeAddress) -> dict[str, Any]:
    document = asdict(address)
    del document["static"]
    return document
