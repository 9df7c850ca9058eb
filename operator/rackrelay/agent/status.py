"""What the agent knows at this moment, and the document that it reports. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from rackrelay.agent.checks.addresses import NodeAddress
from rackrelay.agent.checks.daemons import CheckResult
from rackrelay.agent.settings import NodeValues

# Where nobody says how many failed requests in a row count: one may meet a reload or a busy moment.
FAILURES_THAT_COUNT = 2
ADDRESS_FIELDS = ("interface", "address", "prefix", "carrier")


@dataclass
class AgentState:
    """Written by the agent's loops, read by its server.

    `wanted` maps a daemon to the hash of its mounted file, `rejected` to why that is not live. `results`, `failures`
    (place -> failed requests in a row) and `misses` (how many of those count) are by the name of the check, which
    begins with the daemon's; `answered` holds the daemons that were well at least once. `serial` is what named has
    served within the last second, `peers` the part of the document about other racks. `addresses` is None until the
    kernel has told them once: an agent that has just started must not say that its node has none.
    """

    values: NodeValues
    daemons: tuple[str, ...] = ()
    addresses: tuple[NodeAddress, ...] | None = None
    results: dict[str, CheckResult] = field(default_factory=dict)
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

    def learn(self, check: str, result: CheckResult, misses: int = FAILURES_THAT_COUNT) -> None:
        """Take in what a request to a daemon showed. A place that is not failing begins anew."""
        before = self.failures.get(check, {})
        self.results[check], self.misses[check] = result, misses
        self.failures[check] = {place: before.get(place, 0) + 1 for place in result.failing}
        if result.ok:
            self.answered.add(check)


def build_document(state: AgentState) -> dict[str, Any]:
    """The status document of port 5249."""
    return {
        "node": state.values.node_name,
        "pod": state.values.pod_name,
        "addresses": None if state.addresses is None else [_address(a) for a in state.addresses],
        "daemons": {daemon: _daemon(state, daemon) for daemon in state.daemons},
        "regions": {"reachable": state.regions_reachable, "known": state.regions_known},
        "peers": list(state.peers),
        "zone": {"serial": state.serial} if state.serial is not None else None,
        "config": {
            "hash": state.config_hash,
            "applied": bool(state.config_hash) and not state.rejected and not outdated(state),
            "rejected": dict(sorted(state.rejected.items())),
            "restartNeeded": list(state.restart_needed),
        },
    }


def is_complete(state: AgentState) -> bool:
    """Whether everything that the document is about was looked at once."""
    all_asked = bool(state.daemons) and state.results.keys() >= set(state.daemons)
    return all_asked and state.regions_asked and state.addresses is not None


def outdated(state: AgentState) -> list[str]:
    """Daemons that say that they run another configuration than the mounted one."""
    return [d for d, wanted in sorted(state.wanted.items()) if any(r != wanted for r in _running(state, d))]


def _running(state: AgentState, daemon: str) -> list[str]:
    """The hash that the daemon gave away, if it was asked and told."""
    results = [state.results[check] for check in _checks(state, daemon)]
    return [result.running for result in results if result.running is not None]


def _checks(state: AgentState, daemon: str) -> list[str]:
    return [check for check in sorted(state.results) if check.partition(" ")[0] == daemon]


def _daemon(state: AgentState, daemon: str) -> dict[str, Any]:
    result = state.results.get(daemon)
    if result is None:
        return {"ok": False, "message": "not asked yet"}
    if daemon not in state.answered:
        return {"ok": False, "message": result.message}
    message = "; ".join(words for check in _checks(state, daemon) for words in _faults(state, check))
    return {"ok": not message, "message": message}


def _faults(state: AgentState, check: str) -> list[str]:
    """What this check found wrong often enough."""
    failing = state.results[check].failing
    counting = [place for place, failures in state.failures[check].items() if failures >= state.misses[check]]
    return [f"{place}: {failing[place]}" if place else failing[place] for place in sorted(counting)]


def _address(address: NodeAddress) -> dict[str, Any]:
    return {name: value for name, value in asdict(address).items() if name in ADDRESS_FIELDS}
