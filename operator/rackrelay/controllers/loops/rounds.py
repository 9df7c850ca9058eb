"""When the name servers of each region are asked next: each region has a pace of its own. The clock is an argument."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from rackrelay.controllers.state.region_state import RegionKey

# A round this many intervals late says more about this process than about the racks: its misses do not count.
LATE_FACTOR = 0.5
# What changes with time alone is looked at so often, however slowly racks are asked.
LONGEST_REST_S = 0.25


@dataclass
class Rounds:
    """Rounds begin at multiples of the interval, so that regions of one pace are asked together."""

    _due: dict[RegionKey, float] = field(default_factory=dict)

    def begin(self, intervals_s: Mapping[RegionKey, float], now: float) -> dict[RegionKey, bool]:
        """The regions whose turn it is, and whether what they have not answered by now counts as missed."""
        turns = {}
        due = {}
        for region, interval_s in intervals_s.items():
            # A pace that was raised holds from now on, not only after the last long rest.
            due[region] = min(self._due.get(region, now), _next(now, interval_s))
            if due[region] <= now:
                turns[region] = now - due[region] <= LATE_FACTOR * interval_s
                due[region] = _next(now, interval_s)
        self._due = due
        return turns

    def rest_s(self, now: float) -> float:
        """Seconds until somebody's turn, or until it is time to look at the clock."""
        return max(0.0, min(LONGEST_REST_S, min(self._due.values(), default=math.inf) - now))


def _next(now: float, interval_s: float) -> float:
    # Who has just been asked late has half an interval to answer at least.
    return math.ceil((now + interval_s / 2) / interval_s) * interval_s
