"""How good one rack is: what was seen of it, weighed by the zone rule and damped by its past."""

from collections import Counter
from collections.abc import Callable, Iterable

from rackrelay.controllers.health.groups import RackNode
from rackrelay.controllers.health.sighting import NO_REPORT, RegionReport, Sighting
from rackrelay.model.detection import FailureDetection
from rackrelay.model.rack import RackController
from rackrelay.zone.damping import damp, record
from rackrelay.zone.evidence import HEALTHY, Evidence, Judgement, Tier, judge
from rackrelay.zone.rule import RackView

Report = Callable[[], RegionReport]


def judge_rack(
    rack: RackController, place: RackNode, sighting: Sighting | None, report: Report, now: float
) -> Judgement:
    """The tier of one rack as it looks at this moment, whatever its past. `report`: what regions hear of it."""
    node, pod = place
    if sighting is None or pod is None:
        return judge(Evidence(misses=0), now, sighting.detection if sighting else FailureDetection())
    asked = node.drained or node.name in rack.drained_nodes
    if not asked and not pod.deleting and sighting.is_whole(now):
        return HEALTHY
    # What regions hear matters of a rack that the operator does not.
    heard = NO_REPORT if sighting.answers else report()
    return judge(sighting.evidence(asked, pod.deleting, heard, node.ready), now, sighting.detection)


def note_judgement(sighting: Sighting, judged: Judgement, now: float) -> bool:
    """Whether what to act on is another; the judgement is part of the rack's past then."""
    sighting.damping = record(sighting.damping, judged, now)
    before, sighting.judgement = sighting.judgement, damp(sighting.damping, judged, now)
    return sighting.judgement != before


def count_tiers(views: Iterable[RackView]) -> dict[str, int]:
    """Word of each tier, in small letters -> how many racks are in it."""
    words = Counter(view.judgement.tier.word for view in views)
    return {tier.word.lower(): words[tier.word] for tier in Tier}
