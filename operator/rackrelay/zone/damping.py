"""A rack that comes and goes does not do so in DNS: it counts as healthy again only after a while without a fault.

Pure: the time is an argument.
"""

from dataclasses import dataclass, replace

from rackrelay.zone.evidence import Judgement, Tier

WINDOW_S = 300.0
FIRST_HOLD_S = 2.0
MAX_HOLD_S = 60.0


@dataclass(frozen=True)
class DampingState:
    """One rack's recent past. `falls`: when it stopped being healthy without being asked to, oldest first.

    `good_since`: since when it has been judged healthy; None while it is not. Times are monotonic seconds.
    """

    falls: tuple[float, ...] = ()
    good_since: float | None = None

    @property
    def hold_s(self) -> float:
        """How long it has to be without a fault: twice as long for each fall in the window."""
        return float(min(MAX_HOLD_S, FIRST_HOLD_S * 2 ** (len(self.falls) - 1))) if self.falls else 0.0


def record(past: DampingState, judged: Judgement, now: float) -> DampingState:
    """The past with one more judgement in it."""
    if judged.tier is Tier.HEALTHY and past.good_since is not None and not past.falls:
        # Nearly always, for nearly all.
        return past
    falls = tuple(moment for moment in past.falls if now - moment <= WINDOW_S)
    if judged.tier is Tier.HEALTHY:
        since = now if past.good_since is None else past.good_since
        return DampingState(falls, since)
    fell = past.good_since is not None and judged.tier in (Tier.DEGRADED, Tier.UNREACHABLE)
    return DampingState((*falls, now) if fell else falls)


def damp(past: DampingState, judged: Judgement, now: float) -> Judgement:
    """The judgement to act on: bad news counts at once, good news once it has lasted.

    A rack that fell may be judged well again before that is observed: its good time has only begun then.
    """
    good_s = 0.0 if past.good_since is None else now - past.good_since
    if judged.tier is not Tier.HEALTHY or good_s >= past.hold_s:
        return judged
    message = f"it works again and counts as healthy after {past.hold_s:.0f} s without a fault"
    return replace(judged, tier=Tier.DEGRADED, reason="Recovering", message=message)
