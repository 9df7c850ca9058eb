"""What the agent knows at this moment, and what it reports of that. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from rackrelay.agent.checks.addresses import NodeAddress
from rackrelay.agent.checks.result import CheckResult
from rackrelay.agent.settings import NodeValues
from rackrelay.protocol.status_document import StatusReport

# Where nobody says how many failed requests in a row count: one may meet a reload or a busy moment.
FAILURES_THAT_COUNT = 2


@dataclass
class AgentState:
    """Written by the agent's loops, read by its server.

    `wanted` maps a daemon to the hash of its mounted file, `rejected` to why that is not live. `results`, `failures`
    (place -> failed requests in a row) and `misses` (how many of those count) are by the name of the check, which
    begins with the daemon's; `answered` holds the daemons that were well at least once. `serial` is what named has
    served within the last second, `peers` what it hears of other racks: (subnet, address, heard). `addresses` is None
    until the kernel has told them once: an agent that has just started must not say that its node has none.
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
    peers: Sequence[tuple[str, str, bool]] = ()

    def learn(self, check: str, result: CheckResult, misses: int = FAILURES_THAT_COUNT) -> None:
        """Take in what a request to a daemon showed. A place that is not failing begins anew."""
        before = self.failures.get(check, {})
        self.results[check], self.misses[check] = result, misses
        self.failures[check] = {place: before.get(place, 0) + 1 for place in result.failing}
        if result.ok:
            self.answered.add(check)


def build_report(state: AgentState) -> StatusReport:
    """What the agent says at this moment."""
    return StatusReport(
        node=state.values.node_name,
        pod=state.values.pod_name,
        interfaces=None if state.addresses is None else [_interface(address) for address in state.addresses],
        daemons={daemon: _fault_of(state, daemon) for daemon in state.daemons},
        regions_reachable=state.regions_reachable,
        regions_known=state.regions_known,
        peers=state.peers,
        serial=state.serial,
        config_hash=state.config_hash,
        config_applied=bool(state.config_hash) and not state.rejected and not outdated(state),
        rejected=dict(sorted(state.rejected.items())),
        restart_needed=state.restart_needed,
    )


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


def _fault_of(state: AgentState, daemon: str) -> str:
    """What is wrong with a daemon; empty when nothing is."""
    result = state.results.get(daemon)
    if result is None:
        return "not asked yet"
    if daemon not in state.answered:
        return result.message or "it has not answered yet"
    return "; ".join(words for check in _checks(state, daemon) for words in _faults(state, check))


def _faults(state: AgentState, check: str) -> list[str]:
    """What this check found wrong often enough."""
    failing = state.results[check].failing
    counting = [place for place, failures in state.failures[check].items() if failures >= state.misses[check]]
    return [f"{place}: {failing[place]}" if place else failing[place] for place in sorted(counting)]


def _interface(address: NodeAddress) -> tuple[str, str, int, bool]:
    return address.interface, address.address, address.prefix, address.carrier
