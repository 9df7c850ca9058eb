"""What has happened since the operator started, in numbers that only grow; metrics are made of it and of the state."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from rackrelay.controllers.state.region_state import RegionKey
from rackrelay.exposition import Histogram
from rackrelay.nameservers.push import Outcome

# Tens of milliseconds is usual, a second what a server that answers late takes.
PUBLISH_BOUNDS_S = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


@dataclass
class Tally:
    """`probes` and `misses` by region; `updates` by what became of a server to which an UPDATE was sent."""

    probes: Counter[RegionKey] = field(default_factory=Counter)
    misses: Counter[RegionKey] = field(default_factory=Counter)
    updates: Counter[Outcome] = field(default_factory=Counter)
    publishes: dict[RegionKey, Histogram] = field(default_factory=dict)

    def published(self, region: RegionKey, seconds: float) -> None:
        """A version of a zone has been kept and sent to every server in reach."""
        self.publishes.setdefault(region, Histogram(PUBLISH_BOUNDS_S)).observe(seconds)

    def updated(self, outcomes: Iterable[Outcome]) -> None:
        """UPDATEs were sent, with these outcomes."""
        self.updates.update(outcomes)
