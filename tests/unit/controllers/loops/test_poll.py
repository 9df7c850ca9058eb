"""Whose agent is asked, and how often."""

import math

import pytest

from rackrelay import names
from rackrelay.cluster.client import NODE, POD, RACK, REGION
from rackrelay.controllers.health.sighting import Sighting
from rackrelay.controllers.loops.poll import POLLS_PER_S, SMALL_SITE, UNHEARD_INTERVAL_S, choose_next, interval_s
from rackrelay.controllers.state.region_state import RegionKeys
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
    site.book.track(site.inventory.servers_of(region))
    return site


def choose(site: Site, limit: int = 10_000, chance: float = 0.0) -> list[Sighting]:
    (region,) = site.inventory.regions(gen.NAMESPACE)
    return choose_next(site, region, limit, lambda: chance)


def test_everybody_is_asked_at_first_as_many_at_once_as_may_be(large: Site) -> None:
    first = choose(large, 200)
    second = choose(large, 200)
    assert (len(first), len(second), len(choose(large))) == (200, 100, 0)
    assert not {id(s) for s in first} & {id(s) for s in second}


def test_nobody_is_asked_without_a_key(large: Site) -> None:
    large.regions.clear()
    assert choose(large) == []


def test_who_is_heard_by_a_region_is_asked_seldom_and_the_others_often(large: Site) -> None:
    heard, unheard = choose(large)[:2]
    for sighting in (heard, unheard):
        sighting.polled_at -= UNHEARD_INTERVAL_S
    heard.heard_at, unheard.heard_at = large.now(), -math.inf
    assert choose(large) == [unheard]
    heard.polled_at -= 3 * SMALL_SITE / POLLS_PER_S
    assert choose(large) == [heard]


def test_turns_that_are_far_apart_do_not_fall_together(large: Site) -> None:
    (early,) = choose(large, 1, chance=1.0)
    (late,) = choose(large, 1, chance=0.0)
    assert late.polled_at - early.polled_at >= 1.0
