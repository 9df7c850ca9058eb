"""From what was seen of a rack to what machines may expect of it: a tier, with the reason in words.

Pure: the time is an argument. `records` takes the tiers from here.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum

from rackrelay.model.detection import FailureDetection
from rackrelay.protocol.status_document import AgentStatus

SERIAL_LAG_S = 1.0
# A rack that the operator cannot reach pulls the zone from a region, which takes up to two seconds.
PULL_LAG_S = 5.0
STATUS_STALE_S = 5.0
CROWD_WINDOW_S = 1.0
MIN_CROWD = 3


class Tier(IntEnum):
    """How good a rack is, best first. A drained rack stays, a leaving one stops soon; users read one word for both."""

    HEALTHY = 0
    DEGRADED = 1
    DRAINED = 2
    LEAVING = 3
    UNREACHABLE = 4

    @property
    def word(self) -> str:
        """The tier as users read it in status."""
        return (Tier.DRAINED if self is Tier.LEAVING else self).name.capitalize()


@dataclass(frozen=True)
class Evidence:
    """What was seen of one rack. Times are monotonic seconds; None means never.

    `misses`: SOA probes in a row without an answer. `status_problem`: why the agent's last answer could not be read.
    `behind_since`: since when its DNS answers an old serial.
    `heard`: whether a region replica has its heartbeat; None when no replica in reach can tell. `heard_serial`: what
    named serves by its agent's word, None when named does not answer the agent.
    `lost`: it was found unreachable last. `lost_together`: it went silent in the same second as most other racks.
    `node_ready`: whether the node's kubelet is heard.
    """

    misses: int
    answered_at: float | None = None
    behind_since: float | None = None
    status: AgentStatus | None = None
    status_at: float | None = None
    status_problem: str = ""
    heard: bool | None = None
    heard_serial: int | None = None
    lost: bool = False
    lost_together: bool = False
    node_ready: bool = True
    drained: bool = False
    leaving: bool = False


@dataclass(frozen=True)
class Judgement:
    """A rack's tier and why it has it; healthy racks need no reason."""

    tier: Tier
    reason: str = ""
    message: str = ""


HEALTHY = Judgement(Tier.HEALTHY)


def judge(evidence: Evidence, now: float, detection: FailureDetection) -> Judgement:
    """The first check that finds something decides; a rack that passes all is healthy."""
    for check in (_unreachable, _drained):
        found = check(evidence, detection)
        if found is not None:
            return found
    for look in _DEGRADING:
        message = look(evidence, now, detection)
        if message is not None:
            return Judgement(Tier.DEGRADED, *message)
    return HEALTHY


def _unreachable(evidence: Evidence, detection: FailureDetection) -> Judgement | None:
    if _answers(evidence, detection):
        return None
    if evidence.heard:
        starting = Judgement(Tier.UNREACHABLE, "Starting", "its agent is heard again, but its DNS answers nobody yet")
        return starting if _comes_back(evidence) else None
    # A node that its kubelet does not report either is lost; before that, the fault may be the operator's own.
    if evidence.lost_together and evidence.heard is None and evidence.node_ready:
        return Judgement(
            Tier.DEGRADED,
            "Unconfirmed",
            "most racks went silent in the same second and no region can tell more: likely the operator's own network",
        )
    return Judgement(
        Tier.UNREACHABLE,
        "NoAnswer",
        "its DNS does not answer the operator and no region hears it; check the node's power and network",
    )


def _comes_back(evidence: Evidence) -> bool:
    # A node that boots is heard before it serves anything.
    return evidence.heard_serial is None and (evidence.lost or evidence.answered_at is None)


def _answers(evidence: Evidence, detection: FailureDetection) -> bool:
    return evidence.answered_at is not None and evidence.misses < detection.misses


def _drained(evidence: Evidence, _detection: FailureDetection) -> Judgement | None:
    if evidence.leaving:
        return Judgement(Tier.LEAVING, "PodStopping", "its pod is being deleted")
    if evidence.drained:
        return Judgement(Tier.DRAINED, "Drained", "drained by the node's label or spec.drainedNodes")
    return None


Reason = tuple[str, str] | None


def _silent_named(evidence: Evidence, _now: float, detection: FailureDetection) -> Reason:
    # The operator alone may be cut off from a rack that serves; its agent knows better.
    if _answers(evidence, detection) or evidence.heard_serial is not None:
        return None
    return "NoDNS", "its DNS answers neither the operator nor its own agent; see the log of container named"


def _silent_agent(evidence: Evidence, now: float, detection: FailureDetection) -> Reason:
    if evidence.status_at is not None and now - evidence.status_at <= agent_patience_s(detection):
        return None
    if evidence.status_problem:
        return "AgentUnreadable", f"its agent answers, and its status cannot be read: {evidence.status_problem}"
    return "AgentSilent", "its agent does not answer on port 5249; see the agent container's log"


def _failing_daemon(evidence: Evidence, _now: float, _detection: FailureDetection) -> Reason:
    if evidence.status is None or not evidence.status.failing:
        return None
    return "DaemonFailing", "; ".join(f"{d}: {m}" for d, m in evidence.status.failing.items())


def _no_region(evidence: Evidence, _now: float, _detection: FailureDetection) -> Reason:
    status = evidence.status
    if status is None or status.regions_reachable or not status.regions_known:
        return None
    return "NoRegion", f"it reaches none of {status.regions_known} region replicas; check the node network"


def _old_zone(evidence: Evidence, now: float, detection: FailureDetection) -> Reason:
    answers = _answers(evidence, detection)
    if evidence.behind_since is None or now - evidence.behind_since < (SERIAL_LAG_S if answers else PULL_LAG_S):
        return None
    remedy = (
        "the operator repairs it" if answers else "it gets the zone from a region, for the operator cannot reach it"
    )
    return "ZoneBehind", f"its DNS serves an old serial; {remedy}"


# A new check belongs into `is_whole` too, which judges most racks without these.
_DEGRADING: tuple[Callable[[Evidence, float, FailureDetection], Reason], ...] = (
    _silent_named,
    _silent_agent,
    _failing_daemon,
    _no_region,
    _old_zone,
)


def is_whole(behind_since: float | None, status: AgentStatus | None, status_at: float | None, now: float) -> bool:
    """Whether a rack whose DNS answers, and that nobody drains, passes all checks; at a glance, without Evidence."""
    return (
        behind_since is None
        and status is not None
        and status_at is not None
        and now - status_at <= STATUS_STALE_S
        and status.regions_reachable > 0
        and not status.failing
    )


def agent_patience_s(detection: FailureDetection) -> float:
    """For how long an agent's status says how things are; whoever is patient with a rack is so with its agent."""
    return max(STATUS_STALE_S, detection.patience_s)


def lost_together(silent_since: Mapping[str, float | None], window_s: float = CROWD_WINDOW_S) -> frozenset[str]:
    """The racks that went silent within a window of each other and are more than half of all, three at least in all.

    That many at once is more likely a fault of whoever looks. `silent_since`: rack -> monotonic seconds, None while
    it answers.
    """
    if len(silent_since) < MIN_CROWD:
        return frozenset()
    moments = sorted((moment, name) for name, moment in silent_since.items() if moment is not None)
    for first, (begin, _) in enumerate(moments):
        group = [name for moment, name in moments[first:] if moment - begin <= window_s]
        if 2 * len(group) > len(silent_since):
            return frozenset(group)
    return frozenset()
