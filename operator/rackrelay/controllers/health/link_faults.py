"""Single addresses of a region's racks that machines cannot reach, though the racks are well."""

from collections.abc import Sequence

from rackrelay.controllers import work
from rackrelay.controllers.state.context import Context
from rackrelay.controllers.work import Key
from rackrelay.model.region import RegionController
from rackrelay.zone import links
from rackrelay.zone.peers import cut_off_addresses
from rackrelay.zone.rule import Faults, RackView


def find_link_faults(context: Context, region: RegionController, views: Sequence[RackView]) -> Faults:
    """What is wrong with addresses, or was a moment ago; the zone is decided again when that ends."""
    now = context.now()
    observations = context.book.peer_observations(region.meta.namespace, now)
    cut_off = cut_off_addresses(observations, {view.name: view.addresses for view in views})
    unplugged = [a for view in views for a in view.unplugged]
    faults = links.find_faults(unplugged, cut_off)
    pasts = links.record_links(context.links.get(region.meta.key, {}), faults, now)
    context.links[region.meta.key] = pasts
    ends = links.settles_at(pasts, now)
    if ends is not None:
        context.queue.add_later(Key(work.ZONE, *region.meta.key), ends - now)
    return links.damp_faults(pasts, faults, now)
