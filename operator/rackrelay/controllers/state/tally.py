"""What has happened since the operator started, in numbers that only grow; metrics are made of it and of the state."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field

from prometheus_client import Histogram
from prometheus_client.core import Metric

from rackrelay.controllers.state.region_state import RegionKey
from rackrelay.nameservers.push import Outcome

# Tens of milliseconds is usual, a second what a server that answers late takes.
PUBLISH_BOUNDS_S = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


@dataclass
class Tally:
    """`probes` and `misses` by region; `updates` by what became of a server to which an UPDATE was sent."""

    probes: Counter[RegionKey] = field(default_factory=Counter)
    misses: Counter[RegionKey] = field(default_factory=Counter)
    updates: Counter[Outcome] = field(default_factory=Counter)
    _publishes: Histogram = field(default_factory=lambda: _publish_histogram())

    def published(self, region: RegionKey, seconds: float) -> None:
        """A version of a zone has been kept and sent to every server in reach."""
        self._publishes.labels(*region).observe(seconds)

    def publish_times(self, regions: Collection[RegionKey]) -> Iterator[Metric]:
        """How long that took, for these regions, without when each series began."""
        for family in self._publishes.collect():
            family.samples = [
                sample
                for sample in family.samples
                if not sample.name.endswith("_created")
                and (sample.labels["region_namespace"], sample.labels["region"]) in regions
            ]
            yield family

    def updated(self, outcomes: Iterable[Outcome]) -> None:
        """UPDATEs were sent, with these outcomes."""
        self.updates.update(outcomes)


def _publish_histogram() -> Histogram:
    return Histogram(
        "rackrelay_zone_publish_seconds",
        "From the decision for a new version of a zone until every server in reach has it or was given up.",
        ("region_namespace", "region"),
        buckets=PUBLISH_BOUNDS_S,
        registry=None,
    )
