"""How good each rack is now: what was seen of it, weighed by the zone rule and tempered by its past."""

from collections import Counter
from collections.abc import Iterable

from rackrelay.controllers.health.sighting import UNHEARD, Sighting
from rackrelay.controllers.routing import follow_with_racks
from rackrelay.controllers.state.context import Context
from rackrelay.controllers.state.inventory import Crew, Host
from rackrelay.model.detection import FailureDetection
from rackrelay.model.rack import RackController
from rackrelay.model.region import RegionController
from rackrelay.zone.damping import observe, temper
from rackrelay.zone.evidence import HEALTHY, Evidence, Judgement, Tier, judge
from rackrelay.zone.rule import RackView


def views_of(context: Context, crews: Iterable[Crew]) -> list[RackView]:
    """The racks of these crews, one a node, with its tier as it was noted last and the addresses that count."""
    now = context.now()
    return [_view(context, rack, host, now) for rack, hosts in crews for host in hosts]


def count_tiers(views: Iterable[RackView]) -> dict[str, int]:
    """Word of each tier, in small letters -> how many racks are in it."""
    words = Counter(view.judgement.tier.word for view in views)
    return {tier.word.lower(): words[tier.word] for tier in Tier}


def note_judgements(context: Context, region: RegionController) -> bool:
    """Judge the racks of a region anew; whether what to act on is another for any of them. If so, statuses follow.

    Whoever acts on a judgement has it noted first. One that nobody noted could pass before anybody sees that it does,
    and a zone that was decided by it would stay.
    """
    now, crews = context.now(), context.inventory.crews_of(region)
    noted = [_note(context, rack, host, now) for rack, hosts in crews for host in hosts]
    changed = any(noted)
    if changed:
        follow_with_racks(context, region)
    return changed


def _note(context: Context, rack: RackController, host: Host, now: float) -> bool:
    """Add the judgement of this moment to a rack's past."""
    sighting = context.book.find(rack.meta.namespace, host[0].name)
    if sighting is None:
        return False
    judged = _judge(context, rack, host, sighting, now)
    sighting.steadiness = observe(sighting.steadiness, judged, now)
    before, sighting.judgement = sighting.judgement, temper(sighting.steadiness, judged, now)
    return sighting.judgement != before


def _view(context: Context, rack: RackController, host: Host, now: float) -> RackView:
    """The view of a rack: the same object while what it was made of stays, so that the rule sees no change."""
    sighting = context.book.find(rack.meta.namespace, host[0].name)
    if sighting is None or sighting.judgement is None:
        return _make_view(context, rack, host, _judge(context, rack, host, sighting, now))
    status = sighting.status
    if status is None or status.addresses is None:
        # What it had before is remembered elsewhere.
        return _make_view(context, rack, host, sighting.judgement)
    sources = (rack, status, sighting.judgement)
    if sighting.view is None or sighting.view[0] != sources:
        sighting.view = (sources, _make_view(context, rack, host, sighting.judgement))
    return sighting.view[1]


def _make_view(context: Context, rack: RackController, host: Host, judgement: Judgement) -> RackView:
    name, key = host[0].name, (rack.meta.namespace, host[0].name)
    addresses, known = context.book.addresses(rack, name), context.book.known
    return RackView(name, addresses, judgement, known.claims(key), known.cables(key), context.book.unplugged(*key))


def _judge(context: Context, rack: RackController, host: Host, sighting: Sighting | None, now: float) -> Judgement:
    """The tier of one rack as it looks at this moment, whatever its past."""
    node, pod = host
    if sighting is None or pod is None:
        return judge(Evidence(misses=0), now, sighting.detection if sighting else FailureDetection())
    asked = node.drained or node.name in rack.drained_nodes
    if not asked and not pod.deleting and sighting.is_whole(now):
        return HEALTHY
    # What regions hear matters of a rack that the operator does not.
    voice = UNHEARD if sighting.answers else context.book.voice(rack.meta.namespace, node.name, now)
    return judge(sighting.evidence(asked, pod.deleting, voice, node.ready), now, sighting.detection)
