"""What this operator knows and has done, as metrics.

The state of regions is told by the leader alone, so that a sum over the replicas is right. A Subnet has a line of its
own only while it fails open: 5,000 of them must not be 20,000 series.
"""

from collections import Counter
from collections.abc import Iterable, Iterator

from rackrelay.controllers.health.judging import count_tiers
from rackrelay.controllers.publish.external import external_keys
from rackrelay.controllers.resources.subnet import health_reason
from rackrelay.controllers.state.context import Context
from rackrelay.controllers.state.region_state import RegionKey, ZoneState
from rackrelay.errors import NotLeading
from rackrelay.exposition import Family, Sample, render_families
from rackrelay.model.region import RegionController
from rackrelay.model.subnet import Subnet
from rackrelay.nameservers.push import Outcome
from rackrelay.nameservers.server import NameServer
from rackrelay.zone.rule import Answer

_SUBNET_STATES = {
    "AllHealthy": "healthy",
    "Degraded": "degraded",
    "AllDrained": "all_drained",
    "FailOpen": "fail_open",
    "NoRacks": "no_racks",
}


def build_metrics(context: Context) -> str:
    """All metrics, in Prometheus' text format."""
    leads = _leads(context)
    regions = {region.meta.key: region for region in context.inventory.live_regions()}
    families = [
        Family("rackrelay_leader", "gauge", "Whether this operator leads.", (Sample(leads),)),
        *_work(context),
        *_deeds(context, regions),
    ]
    if leads:
        families += _state(context, list(regions.values()))
    return render_families(families)


def _leads(context: Context) -> bool:
    try:
        context.client.fence()
    except NotLeading:
        return False
    return True


def _work(context: Context) -> Iterator[Family]:
    (waiting, failing), works = context.queue.counts(), context.kinds.works
    yield _gauge(
        "rackrelay_queue_waiting",
        "Keys that wait to be reconciled.",
        ((waiting[k], {"kind": k.name}) for k in works),
    )
    yield _gauge(
        "rackrelay_queue_failing",
        "Keys whose last reconcile failed or has to wait for something; they are tried again.",
        ((failing[k], {"kind": k.name}) for k in works),
    )


def _deeds(context: Context, regions: Iterable[RegionKey]) -> Iterator[Family]:
    tally, keys = context.tally, sorted(regions)
    yield _counter(
        "rackrelay_probes_total", "SOA probes sent to name servers.", ((tally.probes[k], _of(k)) for k in keys)
    )
    yield _counter(
        "rackrelay_probe_misses_total",
        "Probes that were not answered before the next one.",
        ((tally.misses[k], _of(k)) for k in keys),
    )
    yield _counter(
        "rackrelay_zone_updates_total",
        "Servers that were sent an UPDATE or a repair, by what became of them.",
        ((tally.updates[outcome], {"outcome": outcome.value}) for outcome in Outcome),
    )
    samples = (s for k in keys if k in tally.publishes for s in tally.publishes[k].samples(_of(k)))
    help_text = "From the decision for a new version of a zone until every server in reach has it or was given up."
    yield Family("rackrelay_zone_publish_seconds", "histogram", help_text, tuple(samples))


def _state(context: Context, regions: list[RegionController]) -> Iterator[Family]:
    yield _gauge(
        "rackrelay_racks",
        "Racks by tier.",
        ((n, {**_of(r.meta.key), "tier": t}) for r in regions for t, n in _racks(context, r).items()),
    )
    decided = [(r, state) for r in regions if (state := context.regions[r.meta.key].zone) is not None]
    yield _gauge(
        "rackrelay_zone_serial",
        "Serial of the published zone.",
        ((state.zone.serial, _of(r.meta.key)) for r, state in decided),
    )
    yield _gauge(
        "rackrelay_zone_servers",
        "Name servers by whether they serve the published zone.",
        ((n, {**_of(r.meta.key), "state": s}) for r, state in decided for s, n in _servers(context, r, state).items()),
    )
    yield _gauge(
        "rackrelay_external_dns_servers",
        "Servers of spec.external.dns by whether they have the zone.",
        (
            (n, {**_of(r.meta.key), "state": s})
            for r in regions
            if r.external_dns is not None
            for s, n in _external(context, r).items()
        ),
    )
    answered = [(r, _answered(context, r, state)) for r, state in decided]
    yield _gauge(
        "rackrelay_subnets",
        "Subnets by the health of their racks.",
        ((n, {**_of(r.meta.key), "state": s}) for r, answers in answered for s, n in _subnets(answers).items()),
    )
    yield _gauge(
        "rackrelay_subnet_fail_open",
        "Subnets whose name keeps the addresses of racks that nobody reaches; others have no series.",
        (
            (1, {**_of(r.meta.key), "subnet": subnet.meta.name})
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


def _of(region: RegionKey) -> dict[str, str]:
    # Not "namespace": Prometheus gives that name to the namespace of the pod that it asks.
    return {"region_namespace": region[0], "region": region[1]}


def _gauge(name: str, text: str, samples: Iterable[tuple[float, dict[str, str]]]) -> Family:
    return Family(name, "gauge", text, tuple(Sample(value, labels) for value, labels in samples))


def _counter(name: str, text: str, samples: Iterable[tuple[float, dict[str, str]]]) -> Family:
    return Family(name, "counter", text, tuple(Sample(value, labels) for value, labels in samples))
