"""How good racks are now, and how many are so."""

from rackrelay.controllers.watch.judging import count_tiers
from rackrelay.zone.evidence import Tier
from tests import gen


def test_counts_have_every_tier() -> None:
    tiers = [Tier.HEALTHY, Tier.HEALTHY, Tier.UNREACHABLE]
    assert count_tiers([gen.view(f"rack{i}", tier=t) for i, t in enumerate(tiers)]) == {
        "healthy": 2,
        "degraded": 0,
        "drained": 0,
        "unreachable": 1,
    }
