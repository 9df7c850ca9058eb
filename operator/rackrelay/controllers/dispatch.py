"""From a key of the queue to the reconciler of what it names."""

from rackrelay.cluster.client import RACK, REGION, SUBNET
from rackrelay.controllers import work
from rackrelay.controllers.publish.external import reconcile_external
from rackrelay.controllers.publish.zone import reconcile_zone
from rackrelay.controllers.resources.rack import reconcile_rack
from rackrelay.controllers.resources.region import reconcile_region
from rackrelay.controllers.resources.subnet import reconcile_subnet
from rackrelay.controllers.state.context import Context
from rackrelay.controllers.work import Key
from rackrelay.model.rack import RackController
from rackrelay.model.region import RegionController
from rackrelay.model.subnet import Subnet

_KINDS = {work.REGION: REGION, work.ZONE: REGION, work.EXTERNAL: REGION, work.RACK: RACK, work.SUBNET: SUBNET}


async def reconcile(context: Context, key: Key) -> None:
    """Reconcile what a key names; what is gone or going needs nothing, garbage collection does the rest."""
    name = (key.namespace, key.name)
    resource = context.cache.resource(_KINDS[key.work], name)
    if resource is None or resource.spec.meta.deleting:
        _forget(context, key)
        return
    match resource.spec:
        case RegionController() as region if key.work == work.ZONE:
            await reconcile_zone(context, region)
        case RegionController() as region if key.work == work.EXTERNAL:
            await reconcile_external(context, region, key)
        case RegionController() as region:
            await reconcile_region(context, region)
        case RackController() as rack:
            await reconcile_rack(context, rack)
        case Subnet() as subnet:
            await reconcile_subnet(context, subnet)


def _forget(context: Context, key: Key) -> None:
    """Drop what was remembered of what is gone: one of the same name that is made later begins anew."""
    name = (key.namespace, key.name)
    context.external.pop(key, None)
    context.config_hashes.pop((_KINDS[key.work], *name), None)
    if _KINDS[key.work] is REGION:
        for memory in (context.keys, context.zones, context.stored_zones, context.decisions, context.links):
            memory.pop(name, None)
