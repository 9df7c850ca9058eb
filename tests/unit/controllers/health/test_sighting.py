"""What of a sighting can be told without asking the zone rule."""

from hypothesis import given
from hypothesis import strategies as st

from rackrelay.controllers.health.sighting import RegionReport, Sighting
from rackrelay.zone.evidence import Tier, judge
from tests import gen

NOW = 1000.0
times = st.none() | st.floats(NOW - 20, NOW)
statuses = st.none() | st.builds(
    lambda failing, reachable, known: gen.status(
        "10.10.0.2/24", failing=failing, regions_reachable=reachable, regions_known=known
    ),
    st.sampled_from([{}, {}, {"squid": "refused"}]),
    st.integers(0, 2),
    st.integers(0, 2),
)
voices = st.builds(RegionReport, st.none() | st.booleans(), st.none() | st.integers(1, 3))


@given(
    sighting=st.builds(
        lambda misses, answered_at, behind_since, status, status_at, lost: Sighting(
            gen.server(),
            misses=misses,
            answered_at=answered_at,
            behind_since=behind_since,
            status=status,
            status_at=status_at,
            lost_together=lost,
        ),
        st.integers(0, 4),
        times,
        times,
        statuses,
        times,
        st.booleans(),
    ),
    report=voices,
    node_ready=st.booleans(),
)
def test_whole_rack_is_judged_healthy(sighting: Sighting, report: RegionReport, node_ready: bool) -> None:
    if sighting.is_whole(NOW):
        evidence = sighting.evidence(False, False, report, node_ready)
        assert judge(evidence, NOW, sighting.detection).tier is Tier.HEALTHY


def test_rack_that_does_all_that_it_should_is_whole() -> None:
    """Otherwise the one above would prove nothing."""
    sighting = Sighting(gen.server(), answered_at=NOW, status=gen.status("10.10.0.2/24"), status_at=NOW - 1)
    assert sighting.is_whole(NOW)
