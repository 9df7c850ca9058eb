"""What to reconcile when something in the cluster changed."""

from rackrelay import names
from rackrelay.cluster.cache import Record, Resource
from rackrelay.cluster.client import NODE, RACK, REGION, SUBNET, Kind
from rackrelay.controllers import work
from rackrelay.controllers.state.context import Context
from rackrelay.controllers.work import Key
from rackrelay.model.observed import Pod
from rackrelay.model.region import RegionController

# A change is with all servers by then.
FOLLOW_S = 0.2

_WORK = {REGION: work.REGION, RACK: work.RACK, SUBNET: work.SUBNET}


def route(context: Context, kind: Kind, before: Record | None, after: Record | None) -> None:
    """Enqueue the keys that a change concerns; at least one of before and after is given."""
    record = after if after is not None else before
    if kind == NODE:
        # Subnets show what their zone answers, and the zone has those reconciled for which that changed.
        for region in context.inventory.live_regions():
            enqueue_region(context, region)
    elif isinstance(record, Pod):
        _route_pod(context, record)
    elif isinstance(record, Resource):
        _route_resource(context, kind, before, after)
    elif isinstance(record, dict):
        _enqueue_owners(context, record["metadata"]["namespace"])


def enqueue_region(context: Context, region: RegionController) -> None:
    """Have a zone decided, and a moment later what its region and racks consist of: that computes for long."""
    context.queue.add(Key(work.ZONE, *region.meta.key))
    context.queue.add_later(Key(work.REGION, *region.meta.key), FOLLOW_S)
    follow_with_racks(context, region)


def follow_with_racks(context: Context, region: RegionController) -> None:
    """Have a region's RackControllers reconciled a moment later."""
    for rack in context.inventory.racks_of(region):
        context.queue.add_later(Key(work.RACK, *rack.meta.key), FOLLOW_S)


def enqueue_namespace(context: Context, namespace: str) -> None:
    """Have everything of a namespace reconciled."""
    _enqueue_owners(context, namespace)
    for subnet in context.cache.subnets(namespace):
        context.queue.add(Key(work.SUBNET, *subnet.meta.key))


def _route_resource(context: Context, kind: Kind, before: Record | None, after: Record | None) -> None:
    old = before.spec if isinstance(before, Resource) else None
    new = after.spec if isinstance(after, Resource) else None
    spec = new or old
    if spec is None:
        return
    context.queue.add(Key(_WORK[kind], *spec.meta.key))
    if old != new:
        enqueue_namespace(context, spec.meta.namespace)


def _route_pod(context: Context, pod: Pod) -> None:
    owner = work.REGION if pod.component == names.COMPONENT_REGION else work.RACK
    context.queue.add(Key(owner, pod.namespace, pod.owner))
    for region in context.cache.regions(pod.namespace):
        context.queue.add(Key(work.ZONE, *region.meta.key))


def _enqueue_owners(context: Context, namespace: str) -> None:
    for region in context.cache.regions(namespace):
        context.queue.add(Key(work.REGION, *region.meta.key))
        context.queue.add(Key(work.ZONE, *region.meta.key))
    for rack in context.cache.racks(namespace):
        context.queue.add(Key(work.RACK, *rack.meta.key))
