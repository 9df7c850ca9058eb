"""Whom a change in the cluster concerns: one function for each kind, which enqueues what depends on its objects.

`before` and `after` are the records of one object; at least one of them is there.
"""

from rackrelay import names
from rackrelay.cluster.cache import Resource
from rackrelay.controllers import work
from rackrelay.controllers.state.context import Context
from rackrelay.controllers.work import Key
from rackrelay.model.meta import Manifest
from rackrelay.model.observed import Node, Pod
from rackrelay.model.reference import belongs_to
from rackrelay.model.region import RegionController

# A change is with all servers by then.
FOLLOW_S = 0.2


def route_region(context: Context, before: Resource | None, after: Resource | None) -> None:
    """Its zone and racks; and everything in the namespace when there is a region more or less to refer to."""
    key = _newest(before, after).meta.key
    context.queue.add(Key(work.REGION, *key))
    if not _spec_changed(before, after):
        return
    if _can_be_referred_to(before) != _can_be_referred_to(after):
        enqueue_namespace(context, key[0])
    elif after is not None and after.spec is not None:
        enqueue_region(context, after.spec)


def route_rack(context: Context, before: Resource | None, after: Resource | None) -> None:
    """The region that it belongs to, and the one that it belonged to."""
    context.queue.add(Key(work.RACK, *_newest(before, after).meta.key))
    if _spec_changed(before, after):
        _enqueue_regions_of(context, before, after)


def route_subnet(context: Context, before: Resource | None, after: Resource | None) -> None:
    """Its region, whose configuration names it, and the Subnets that share its addresses or its racks.

    The zone has those reconciled whose answer changes.
    """
    meta = _newest(before, after).meta
    context.queue.add(Key(work.SUBNET, *meta.key))
    if not _spec_changed(before, after):
        return
    _enqueue_regions_of(context, before, after)
    for record in (before, after):
        if record is not None and record.spec is not None:
            for other in context.inventory.related_to(record.spec):
                context.queue.add(Key(work.SUBNET, *other.meta.key))


def route_node(context: Context, before: Node | None, after: Node | None) -> None:
    """The regions that have, had or get a rack there."""
    for region in context.inventory.live_regions():
        racks = context.inventory.racks_of(region)
        leaving = {node.name for node, _ in context.inventory.leaving_rack_nodes(region)}
        nodes = [node for node in (before, after) if node is not None]
        if any(n.name in leaving or n.matches(rack.pods.node_selector) for n in nodes for rack in racks):
            enqueue_region(context, region)


def route_pod(context: Context, before: Pod | None, after: Pod | None) -> None:
    """Its owner and its region's zone; a rack pod of an earlier release does not say whose it is."""
    pod = after if after is not None else before
    if pod is None:
        return
    owner = work.REGION if pod.component == names.COMPONENT_REGION else work.RACK
    context.queue.add(Key(owner, pod.namespace, pod.owner))
    for region in context.inventory.regions(pod.namespace):
        if pod.region in ("", region.meta.name):
            context.queue.add(Key(work.ZONE, *region.meta.key))


def route_owned(context: Context, before: Manifest | None, after: Manifest | None) -> None:
    """Whose object it is, by its labels; racks are told where their region's replicas are."""
    metadata = (after or before or {})["metadata"]
    namespace, labels = metadata["namespace"], metadata.get("labels", {})
    rack = labels.get(names.LABEL_RACK_CONTROLLER)
    if rack is not None:
        context.queue.add(Key(work.RACK, namespace, rack))
        return
    for region in context.inventory.regions(namespace):
        if labels.get(names.LABEL_REGION, region.meta.name) == region.meta.name:
            context.queue.add(Key(work.REGION, *region.meta.key))
            context.queue.add(Key(work.ZONE, *region.meta.key))
            for rack_controller in context.inventory.racks_of(region):
                context.queue.add(Key(work.RACK, *rack_controller.meta.key))


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
    for entry in context.kinds.table:
        for resource in context.cache.records(entry.kind, namespace) if entry.reconcilers else ():
            for key in entry.keys(namespace, resource.meta.name):
                context.queue.add(key)


def _enqueue_regions_of(context: Context, *records: Resource | None) -> None:
    for record in records:
        if record is None or record.spec is None:
            continue
        regions = context.inventory.regions(record.meta.namespace)
        for region in regions:
            if belongs_to(record.spec.region, region, regions):
                enqueue_region(context, region)


def _newest(before: Resource | None, after: Resource | None) -> Resource:
    record = after if after is not None else before
    if record is None:
        raise ValueError("a change has at least one side")
    return record


def _spec_changed(before: Resource | None, after: Resource | None) -> bool:
    if before is None or after is None:
        return True
    return (before.spec, before.problem, before.meta) != (after.spec, after.problem, after.meta)


def _can_be_referred_to(record: Resource | None) -> bool:
    return record is not None and record.spec is not None and not record.meta.deleting
