"""How good each rack is now: what was seen of it, weighed by the zone rule and tempered by its past."""

from collections import Counter
from collections.abc import Iterable

from rackrelay.controllers.health.sighting import NO_REPORT, Sighting
from rackrelay.controllers.routing import follow_with_racks
from rackrelay.controllers.state.context import Context
from rackrelay.controllers.state.inventory import RackGroup, RackNode
from rackrelay.model.detection import FailureDetection
from rackrelay.model.rack import RackController
from rackrelay.model.region import RegionController
from rackrelay.zone.damping import damp, record
from rackrelay.zone.evidence import HEALTHY, Evidence, Judgement, Tier, judge
from rackrelay.zone.rule import RackView


def views_of(context: Context, groups: Iterable[RackGroup]) -> list[RackView]:
    """The racks of these groups, one a node, with its tier as it was noted last and the addresses that count."""
    now = context.now()
    return [_view(context, rack, place, now) for rack, nodes in groups for place in nodes]


def count_tiers(views: Iterable[RackView]) -> dict[str, int]:
    """Word of each tier, in small letters -> how many racks are in it."""
    words = Counter(view.judgement.tier.word for view in views)
    return {tier.word.lower(): words[tier.word] for tier in Tier}


def note_judgements(context: Context, region: RegionController) -> bool:
    """Judge the racks of a region anew; whether what to act on is another for any of them. If so, statuses follow.

    Whoever acts on a judgement has it noted first. One that nobody noted could pass before anybody sees that it does,
    and a zone that was decided by it would stay.
    """
    now, groups = context.now(), context.inventory.rack_groups_of(region)
    noted = [_note(context, rack, place, now) for rack, nodes in groups for place in nodes]
    changed = any(noted)
    if changed:
        follow_with_racks(context, region)
    return changed


def _note(context: Context, rack: RackController, place: RackNode, now: float) -> bool:
    """Add the judgement of this moment to a rack's past."""
    sighting = context.book.find(rack.meta.namespace, place[0].name)
    if sighting is None:
        return False
    judged = _judge(context, rack, place, sighting, now)
    sighting.damping = record(sighting.damping, judged, now)
    before, sighting.judgement = sighting.judgement, damp(sighting.damping, judged, now)
    return sighting.judgement != before


def _view(context: Context, rack: RackController, place: RackNode, now: float) -> RackView:
    """The view of a rack: the same object while what it was made of stays, so that the rule sees no change."""
    sighting = context.book.find(rack.meta.namespace, place[0].name)
    if sighting is None or sighting.judgement is None:
        return _make_view(context, rack, place, _judge(context, rack, place, sighting, now))
    status = sighting.status
    if status is None or status.addresses is None:
        # What it had before is remembered elsewhere.
        return _make_view(context, rack, place, sighting.judgement)
    sources = (rack, status, sighting.judgement)
    if sighting.view is None or sighting.view[0] != sources:
        sighting.view = (sources, _make_view(context, rack, place, sighting.judgement))
    return sighting.view[1]


def _make_view(context: Context, rack: RackController, place: RackNode, judgement: Judgement) -> RackView:
    name, key = place[0].name, (rack.meta.namespace, place[0].name)
    addresses, known = context.book.addresses(rack, name), context.book.known
    return RackView(name, addresses, judgement, known.claims(key), known.cables(key), context.book.unplugged(*key))


def _judge(context: Context, rack: RackController, place: RackNode, sighting: Sighting | None, now: float) -> Judgement:
    """The tier of one rack as it looks at this moment, whatever its past."""
    node, pod = place
    if sighting is None or pod is None:
        return judge(Evidence(misses=0), now, sighting.detection if sighting else FailureDetection())
    asked = node.drained or node.name in rack.drained_nodes
    if not asked and not pod.deleting and sighting.is_whole(now):
        return HEALTHY
    # What regions hear matters of a rack that the operator does not.
    report = NO_REPORT if sighting.answers else context.book.region_report(rack.meta.namespace, node.name, now)
    return judge(sighting.evidence(asked, pod.deleting, report, node.ready), now, sighting.detection)
