"""From what was seen of a rack to what machines may expect of it: a tier, with the reason in words.

Pure: the time is an argument. `records` takes the tiers from here.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum

from rackrelay.model.observed import AgentStatus

SERIAL_LAG_S = 1.0
STATUS_STALE_S = 5.0


class Tier(IntEnum):
    """How good a rack is, best first."""

    HEALTHY = 0
    DEGRADED = 1
    DRAINED = 2
    UNREACHABLE = 3

    @property
    def word(self) -> str:
        """The tier as users read it in status."""
        return self.name.capitalize()


@dataclass(frozen=True)
class Evidence:
    """What was seen of one rack. Times are monotonic seconds; None means never.

    `misses`: SOA probes in a row without an answer. `behind_since`: since when its DNS answers an old serial.
    """

    misses: int
    answered_at: float | None = None
    behind_since: float | None = None
    status: AgentStatus | None = None
    status_at: float | None = None
    drained: bool = False
    leaving: bool = False


@dataclass(frozen=True)
class Judgement:
    """A rack's tier and why it has it; healthy racks need no reason."""

    tier: Tier
    reason: str = ""
    message: str = ""


def judge(evidence: Evidence, now: float, misses_allowed: int) -> Judgement:
    """The first check that finds something decides; a rack that passes all is healthy."""
    for check in (_unreachable, _drained):
        found = check(evidence, misses_allowed)
        if found is not None:
            return found
    for look in _DEGRADING:
        message = look(evidence, now)
        if message is not None:
            return Judgement(Tier.DEGRADED, *message)
    return Judgement(Tier.HEALTHY)


def _unreachable(evidence: Evidence, misses_allowed: int) -> Judgement | None:
    if evidence.answered_at is not None and evidence.misses < misses_allowed:
        return None
    return Judgement(
        Tier.UNREACHABLE,
        "NoAnswer",
        "its DNS does not answer the operator; check the node's power and network",
    )


def _drained(evidence: Evidence, _misses_allowed: int) -> Judgement | None:
    if evidence.leaving:
        return Judgement(Tier.DRAINED, "PodStopping", "its pod is being deleted")
    if evidence.drained:
        return Judgement(Tier.DRAINED, "Drained", "drained by the node's label or spec.drainedNodes")
    return None


Reason = tuple[str, str] | None


def _silent_agent(evidence: Evidence, now: float) -> Reason:
    if evidence.status_at is not None and now - evidence.status_at <= STATUS_STALE_S:
        return None
    return "AgentSilent", "its agent does not answer on port 5249; see the agent container's log"


def _failing_daemon(evidence: Evidence, _now: float) -> Reason:
    if evidence.status is None or not evidence.status.failing:
        return None
    return "DaemonFailing", "; ".join(f"{d}: {m}" for d, m in evidence.status.failing.items())


def _no_region(evidence: Evidence, _now: float) -> Reason:
    status = evidence.status
    if status is None or status.regions_reachable or not status.regions_known:
        return None
    return "NoRegion", f"it reaches none of {status.regions_known} region replicas; check the node network"


def _old_zone(evidence: Evidence, now: float) -> Reason:
    if evidence.behind_since is None or now - evidence.behind_since < SERIAL_LAG_S:
        return None
    return "ZoneBehind", "its DNS serves an old serial; the operator repairs it"


_DEGRADING: tuple[Callable[[Evidence, float], Reason], ...] = (
    _silent_agent,
    _failing_daemon,
    _no_region,
    _old_zone,
)
