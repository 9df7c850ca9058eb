"""The one table of kinds and work. A new kind is an entry here, a model and a reconciler."""

from rackrelay.cluster.cache import Parse, parse_manifest, parse_resource
from rackrelay.cluster.client import NODE, OWNED, POD, RACK, REGION, SUBNET, Kind
from rackrelay.controllers import work
from rackrelay.controllers.publish.external import reconcile_external
from rackrelay.controllers.publish.zone import reconcile_zone, refuse_zone
from rackrelay.controllers.resources.keys import forget_rack_config
from rackrelay.controllers.resources.rack import reconcile_rack
from rackrelay.controllers.resources.region import reconcile_region
from rackrelay.controllers.resources.subnet import reconcile_subnet
from rackrelay.controllers.routing import route_node, route_owned, route_pod, route_rack, route_region, route_subnet
from rackrelay.controllers.state.context import Context
from rackrelay.controllers.watched import Kinds, Reconciler, Watched
from rackrelay.controllers.work import Key
from rackrelay.model.observed import parse_node, parse_pod
from rackrelay.model.rack import RackController, parse_rack
from rackrelay.model.region import RegionController, parse_region
from rackrelay.model.subnet import Subnet, parse_subnet


async def _region(context: Context, region: RegionController, _key: Key) -> None:
    await reconcile_region(context, region)


async def _zone(context: Context, region: RegionController, _key: Key) -> None:
    await reconcile_zone(context, region)


async def _rack(context: Context, rack: RackController, _key: Key) -> None:
    await reconcile_rack(context, rack)


async def _subnet(context: Context, subnet: Subnet, _key: Key) -> None:
    await reconcile_subnet(context, subnet)


def _forget_region(context: Context, key: Key) -> None:
    context.forget_region((key.namespace, key.name))


def _forget_rack(context: Context, key: Key) -> None:
    forget_rack_config(context, (key.namespace, key.name))


def _forget_server(context: Context, key: Key) -> None:
    context.regions[(key.namespace, key.name)].external.pop(key.server, None)


KINDS = Kinds(
    (
        Watched(
            REGION,
            parse_resource(parse_region),
            route_region,
            (
                Reconciler(work.REGION, _region, _forget_region),
                Reconciler(work.ZONE, _zone, refuse=refuse_zone),
                Reconciler(work.EXTERNAL, reconcile_external, _forget_server, whole=False),
            ),
        ),
        Watched(RACK, parse_resource(parse_rack), route_rack, (Reconciler(work.RACK, _rack, _forget_rack),)),
        Watched(SUBNET, parse_resource(parse_subnet), route_subnet, (Reconciler(work.SUBNET, _subnet),)),
        Watched(POD, parse_pod, route_pod),
        Watched(NODE, parse_node, route_node),
        *(Watched(kind, parse_manifest, route_owned) for kind in OWNED),
    )
)


def parsers(kinds: Kinds = KINDS) -> dict[Kind, Parse]:
    """How objects of each kind become records."""
    return {entry.kind: entry.parse for entry in kinds.table}
