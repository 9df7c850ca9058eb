"""What this operator knows and has done, as metrics for Prometheus.

The state of regions is told by the leader alone, so that a sum over the replicas is right. A Subnet has a line of its
own only while it fails open: 5,000 of them must not be 20,000 series.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, GCCollector, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from rackrelay.controllers.health.judging import count_tiers
from rackrelay.controllers.publish.external import external_keys
from rackrelay.controllers.resources.subnet import health_reason
from rackrelay.controllers.state.context import Context
from rackrelay.controllers.state.region_state import RegionKey, ZoneState
from rackrelay.errors import NotLeading
from rackrelay.model.region import RegionController
from rackrelay.model.subnet import Subnet
from rackrelay.nameservers.push import Outcome
from rackrelay.nameservers.server import NameServer
from rackrelay.zone.rule import Answer

# Not "namespace": Prometheus gives that name to the namespace of the pod that it asks.
OF_REGION = ("region_namespace", "region")

_SUBNET_STATES = {
    "AllHealthy": "healthy",
    "Degraded": "degraded",
    "AllDrained": "all_drained",
    "FailOpen": "fail_open",
    "NoRacks": "no_racks",
}


def build_metrics(context: Context) -> bytes:
    """All metrics, in Prometheus' text format, version 0.0.4."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    GCCollector(registry=registry)
    registry.register(OperatorCollector(context))
    return generate_latest(registry)


@dataclass(eq=False)
class OperatorCollector(Collector):
    """What there is to tell at the moment at which somebody asks."""

    context: Context

    def collect(self) -> Iterator[Metric]:
        """The families that have a sample."""
        leads = _leads(self.context)
        regions = {region.meta.key: region for region in self.context.inventory.live_regions()}
        families = [
            _gauge("rackrelay_leader", "Whether this operator leads.", (), [((), leads)]),
            *_work(self.context),
            *_done(self.context, sorted(regions)),
        ]
        if leads:
            families += _state(self.context, list(regions.values()))
        return (family for family in families if family.samples)

    def describe(self) -> list[Metric]:
        """Nothing beforehand: collecting once to find the names would cost as much as a scrape."""
        return []


def _leads(context: Context) -> bool:
    try:
        context.client.fence()
    except NotLeading:
        return False
    return True


def _work(context: Context) -> Iterator[Metric]:
    (waiting, failing), works = context.queue.counts(), context.kinds.works
    yield _gauge(
        "rackrelay_queue_waiting",
        "Keys that wait to be reconciled.",
        ("kind",),
        (((w.name,), waiting[w]) for w in works),
    )
    yield _gauge(
        "rackrelay_queue_failing",
        "Keys whose last reconcile failed or has to wait for something; they are tried again.",
        ("kind",),
        (((w.name,), failing[w]) for w in works),
    )


def _done(context: Context, regions: Collection[RegionKey]) -> Iterator[Metric]:
    tally = context.tally
    yield _counter(
        "rackrelay_probes_total",
        "SOA probes sent to name servers.",
        OF_REGION,
        ((key, tally.probes[key]) for key in regions),
    )
    yield _counter(
        "rackrelay_probe_misses_total",
        "Probes that were not answered before the next one.",
        OF_REGION,
        ((key, tally.misses[key]) for key in regions),
    )
    yield _counter(
        "rackrelay_zone_updates_total",
        "Servers that were sent an UPDATE or a repair, by what became of them.",
        ("outcome",),
        (((outcome.value,), tally.updates[outcome]) for outcome in Outcome),
    )
    yield from tally.publish_times(regions)


def _state(context: Context, regions: list[RegionController]) -> Iterator[Metric]:
    yield _gauge(
        "rackrelay_racks",
        "Racks by tier.",
        (*OF_REGION, "tier"),
        (((*r.meta.key, tier), n) for r in regions for tier, n in _racks(context, r).items()),
    )
    decided = [(r, state) for r in regions if (state := context.regions[r.meta.key].zone) is not None]
    yield _gauge(
        "rackrelay_zone_serial",
        "Serial of the published zone.",
        OF_REGION,
        ((r.meta.key, state.zone.serial) for r, state in decided),
    )
    yield _gauge(
        "rackrelay_zone_servers",
        "Name servers by whether they serve the published zone.",
        (*OF_REGION, "state"),
        (((*r.meta.key, s), n) for r, state in decided for s, n in _servers(context, r, state).items()),
    )
    yield _gauge(
        "rackrelay_external_dns_servers",
        "Servers of spec.external.dns by whether they have the zone.",
        (*OF_REGION, "state"),
        (
            ((*r.meta.key, s), n)
            for r in regions
            if r.external_dns is not None
            for s, n in _external(context, r).items()
        ),
    )
    answered = [(r, _answered(context, r, state)) for r, state in decided]
    yield _gauge(
        "rackrelay_subnets",
        "Subnets by the health of their racks.",
        (*OF_REGION, "state"),
        (((*r.meta.key, s), n) for r, answers in answered for s, n in _subnets(answers).items()),
    )
    yield _gauge(
        "rackrelay_subnet_fail_open",
        "Subnets whose name keeps the addresses of racks that nobody reaches; others have no series.",
        (*OF_REGION, "subnet"),
        (
            ((*r.meta.key, subnet.meta.name), 1)
            for r, answers in answered
            for subnet, answer in answers
            if answer.fail_open
        ),
    )


def _racks(context: Context, region: RegionController) -> dict[str, int]:
    return count_tiers(context.health.views(context.inventory.rack_groups_of(region), context.now()))


def _servers(context: Context, region: RegionController, state: ZoneState) -> dict[str, int]:
    found = Counter(_server(context, server, state) for server in context.inventory.servers_of(region))
    return {name: found[name] for name in ("current", "outdated", "unreachable")}


def _server(context: Context, server: NameServer, state: ZoneState) -> str:
    serial = context.health.serial(server)
    if serial is None:
        return "unreachable"
    drifted = state.outcomes.get(server) is Outcome.DRIFTED
    return "current" if serial == state.zone.serial and not drifted else "outdated"


def _external(context: Context, region: RegionController) -> dict[str, int]:
    seen = [
        state for key in external_keys(region) if (state := context.regions[region.meta.key].external.get(key.server))
    ]
    failing = sum(state.trouble is not None for state in seen)
    return {"published": len(seen) - failing, "failing": failing}


def _answered(context: Context, region: RegionController, state: ZoneState) -> list[tuple[Subnet, Answer]]:
    """The Subnets with their answers, without those that came after the zone was decided."""
    return [(s, state.answers[s.cidr]) for s in context.inventory.subnets_of(region) if s.cidr in state.answers]


def _subnets(answers: Iterable[tuple[Subnet, Answer]]) -> dict[str, int]:
    found = Counter(_SUBNET_STATES[health_reason(answer)] for _, answer in answers)
    return {name: found[name] for name in _SUBNET_STATES.values()}


Samples = Iterable[tuple[Iterable[str], float]]


def _gauge(name: str, text: str, labels: Iterable[str], samples: Samples) -> Metric:
    family = GaugeMetricFamily(name, text, labels=tuple(labels))
    for values, value in samples:
        family.add_metric(tuple(values), value)
    return family


def _counter(name: str, text: str, labels: Iterable[str], samples: Samples) -> Metric:
    family = CounterMetricFamily(name, text, labels=tuple(labels))
    for values, value in samples:
        family.add_metric(tuple(values), value)
    return family
