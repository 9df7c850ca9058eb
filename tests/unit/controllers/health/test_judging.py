"""How good racks are now, and how many are so."""

from rackrelay.controllers.health.judging import count_tiers
from rackrelay.zone.evidence import Tier
from tests import gen
from tests.unit.controllers.publish.history import History


def test_counts_have_every_tier() -> None:
    tiers = [Tier.HEALTHY, Tier.HEALTHY, Tier.UNREACHABLE]
    assert count_tiers([gen.view(f"rack{i}", tier=t) for i, t in enumerate(tiers)]) == {
        "healthy": 2,
        "degraded": 0,
        "drained": 0,
        "unreachable": 1,
    }


def test_view_of_a_rack_is_another_object_only_when_there_is_news_of_it() -> None:
    """The rule compares a thousand of them for each change."""
    past = History()
    for number, rack in enumerate(("rack1", "rack2", "rack3"), start=2):
        past.answer(rack, old=False)
        past.report(rack, [(f"10.10.0.{number}/24", True)], {})

    def look() -> list[object]:
        groups, health = past.site.inventory.rack_groups_of(past.region), past.site.health
        health.judge(past.region.meta.key, groups, past.site.clock)
        return list(health.views(groups, past.site.clock))

    first = look()
    past.wait(1.0)
    past.report("rack1", [("10.10.0.2/24", True)], {})
    past.report("rack2", [("10.10.0.3/24", False)], {})
    second = look()
    assert [old is new for old, new in zip(first, second, strict=True)] == [True, False, True]
