"""Whose agent is asked, and how often."""

import pytest

from rackrelay import names
from rackrelay.cluster.client import NODE, POD, RACK, REGION
from rackrelay.controllers.loops.poll import POLLS_PER_S, SMALL_SITE, UNHEARD_INTERVAL_S, choose_next, interval_s
from rackrelay.controllers.state.region_state import RegionKeys
from rackrelay.nameservers.server import NameServer
from rackrelay.protocol.heard_document import Heard, HeardRack
from tests import gen
from tests.unit.controllers.site import Site


@pytest.mark.parametrize(
    ("servers", "heard", "expected"),
    [
        pytest.param(2, True, 1.0, id="a small site: a daemon that dies shows within a second"),
        pytest.param(SMALL_SITE, False, 1.0, id="the largest small site"),
        pytest.param(20 * POLLS_PER_S, True, 20.0, id="a region brings the news"),
        pytest.param(20 * POLLS_PER_S, False, UNHEARD_INTERVAL_S, id="nobody else does"),
    ],
)
def test_interval(servers: int, heard: bool, expected: float) -> None:
    assert interval_s(servers, heard, shortest_s=1.0) == expected


@pytest.fixture
def large(site: Site) -> Site:
    """Three times as many racks as a small site has."""
    site.put(REGION, gen.body("RegionController"))
    site.put(RACK, gen.body("RackController", "demo", {"pods": {"nodeSelector": gen.RACK_NODES}}))
    labels = {names.LABEL_COMPONENT: names.COMPONENT_RACK, names.LABEL_RACK_CONTROLLER: "demo"}
    for number in range(3 * SMALL_SITE):
        name = f"rack{number}"
        site.put(NODE, {"metadata": {"name": name, "labels": gen.RACK_NODES}})
        metadata = {"namespace": gen.NAMESPACE, "name": name, "uid": name, "labels": labels}
        address = f"192.0.{number // 250}.{number % 250 + 1}"
        site.put(POD, {"metadata": metadata, "spec": {"nodeName": name}, "status": {"podIP": address}})
    (region,) = site.inventory.regions(gen.NAMESPACE)
    site.regions[region.meta.key].keys = RegionKeys(gen.KEY, b"agent key")
    site.track()
    return site


class Polls:
    """The turns of one operator's agents."""

    def __init__(self, site: Site) -> None:
        self.site, self.turns = site, dict[NameServer, float]()

    def choose(self, limit: int = 10_000, chance: float = 0.0) -> list[NameServer]:
        (region,) = self.site.inventory.regions(gen.NAMESPACE)
        return choose_next(self.site, region, self.turns, limit, lambda: chance)

    def pass_time(self, seconds: float, *servers: NameServer) -> None:
        """These were asked so long ago."""
        for server in servers:
            self.turns[server] -= seconds


@pytest.fixture
def polls(large: Site) -> Polls:
    return Polls(large)


def test_everybody_is_asked_at_first_as_many_at_once_as_may_be(polls: Polls) -> None:
    first = polls.choose(200)
    second = polls.choose(200)
    assert (len(first), len(second), len(polls.choose())) == (200, 100, 0)
    assert not set(first) & set(second)


def test_nobody_is_asked_without_a_key(large: Site, polls: Polls) -> None:
    large.regions.clear()
    assert polls.choose() == []


def test_who_is_heard_by_a_region_is_asked_seldom_and_the_others_often(large: Site, polls: Polls) -> None:
    heard, unheard = polls.choose()[:2]
    polls.pass_time(UNHEARD_INTERVAL_S, heard, unheard)
    racks = {s.name: HeardRack(True, 1, gen.status()) for s in polls.turns if s != unheard}
    large.health.hear(gen.server("demo-region-0"), Heard(1, "e1", True, racks), large.now())
    assert polls.choose() == [unheard]
    polls.pass_time(3 * SMALL_SITE / POLLS_PER_S, heard)
    assert polls.choose() == [heard]


def test_turns_that_are_far_apart_do_not_fall_together(polls: Polls) -> None:
    (early,) = polls.choose(1, chance=1.0)
    (late,) = polls.choose(1, chance=0.0)
    assert polls.turns[late] - polls.turns[early] >= 1.0
