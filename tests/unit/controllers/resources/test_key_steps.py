"""A rotation takes its next step only where every server that anybody reaches has applied the one before."""

from typing import Any

import pytest

from rackrelay.controllers.health.sighting import LISTENING_S
from rackrelay.controllers.resources import keys
from rackrelay.controllers.resources.keys import KeyPlan, ensure_keys, volume_mark
from rackrelay.controllers.state.region_state import RegionKeys
from rackrelay.errors import ClusterError, Conflict
from rackrelay.model.region import RegionController
from rackrelay.protocol.heard_document import Heard, HeardRack
from tests import gen
from tests.unit.controllers.resources.key_site import add_rack, add_region, plan_of, rendered
from tests.unit.controllers.site import Site


@pytest.fixture(autouse=True)
def _no_overlap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "OVERLAP_S", 0.0)


async def test_rotation_waits_for_every_server_in_reach(site: Site) -> None:
    await ensure_keys(site, add_region(site))
    add_rack(site, config_hash="old")
    region = add_region(site, rotation=2)
    await ensure_keys(site, region)
    assert plan_of(site) == KeyPlan((1, 2), 1)
    assert site.waiting() >= {"region demo", "rack demo"}
    await ensure_keys(site, region)
    assert plan_of(site) == KeyPlan((1, 2), 1), "nothing is rendered with both keys yet"
    rendered(site)
    await ensure_keys(site, region)
    assert plan_of(site) == KeyPlan((1, 2), 1), "the rack runs the configuration from before"
    add_rack(site, config_hash="c0ffee", config_applied=False)
    await ensure_keys(site, region)
    assert plan_of(site) == KeyPlan((1, 2), 1), "the rack has it and does not run it"
    add_rack(site)
    await ensure_keys(site, region)
    assert plan_of(site) == KeyPlan((1, 2), 2)
    assert site.region_keys().tsig.name == "2.demo.machines.rackrelay"
    await ensure_keys(site, region)
    assert plan_of(site) == KeyPlan((1, 2), 2), "pods are not told yet which key signs"
    rendered(site)
    await ensure_keys(site, region)
    assert plan_of(site) == KeyPlan((2,), 2)


def hear(site: Site, heard: bool, **status: Any) -> None:
    """A region's replica, which has run for long, hears the rack or does not."""
    replica = gen.server("demo-0")
    region = site.inventory.regions(gen.NAMESPACE)[0]
    servers = [*site.inventory.servers_of(region), replica]
    site.health.track(dict.fromkeys(servers, region))
    beat = HeardRack(heard, 1, gen.status(**status))
    for moment in (site.now() - 60.0, site.now()):
        site.health.hear(replica, Heard(1, "epoch", True, {"rack1": beat}), moment)


async def begin_without_reaching_the_rack(site: Site, silent_s: float) -> RegionController:
    """A rotation in its first step, rendered, which the rack had not applied when it fell silent."""
    await ensure_keys(site, add_region(site))
    add_rack(site, config_hash="old")
    region = add_region(site, rotation=2)
    await ensure_keys(site, region)
    rendered(site)
    detection = site.sighting("rack1").detection
    site.lose("rack1", detection.misses + int(silent_s / detection.interval_s))
    return region


async def test_rotation_does_not_wait_for_a_server_that_nobody_reaches(site: Site) -> None:
    region = await begin_without_reaching_the_rack(site, silent_s=LISTENING_S)
    await ensure_keys(site, region)
    assert plan_of(site) == KeyPlan((1, 2), 2)


async def test_rotation_waits_until_regions_can_tell_whether_they_hear_a_silent_rack(site: Site) -> None:
    region = await begin_without_reaching_the_rack(site, silent_s=0.0)
    await ensure_keys(site, region)
    assert plan_of(site) == KeyPlan((1, 2), 1)
    hear(site, False)
    await ensure_keys(site, region)
    assert plan_of(site) == KeyPlan((1, 2), 2)


async def test_rotation_waits_for_a_rack_that_only_a_region_hears(site: Site) -> None:
    region = await begin_without_reaching_the_rack(site, silent_s=60.0)
    hear(site, True, config_hash="old")
    await ensure_keys(site, region)
    assert plan_of(site) == KeyPlan((1, 2), 1)
    hear(site, True, config_hash="c0ffee")
    await ensure_keys(site, region)
    assert plan_of(site) == KeyPlan((1, 2), 2)


async def test_every_step_has_volumes_refreshed(site: Site) -> None:
    """Which key signs shows in no configuration, and a kubelet looks at a Secret by itself once a minute at best."""
    await ensure_keys(site, add_region(site))
    add_rack(site)
    region = add_region(site, rotation=2)
    before = volume_mark(site, region, "c0ffee")
    for _ in range(2):
        site.waiting()
        await ensure_keys(site, region)
        assert site.waiting() >= {"region demo", "rack demo"}
        rendered(site)
    assert plan_of(site) == KeyPlan((1, 2), 2)
    assert volume_mark(site, region, "c0ffee") != before


async def test_keys_serve_on_while_a_step_cannot_be_written(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Agents are asked with them, and racks whose agents are silent count as degraded."""
    await ensure_keys(site, add_region(site))
    region, key = add_region(site, rotation=2), (gen.NAMESPACE, "demo")
    known = site.regions[key].keys

    async def fail(*_: Any) -> Any:
        raise ClusterError("the API server does not answer")

    with monkeypatch.context() as outage:
        outage.setattr(site.client, "apply", fail)
        with pytest.raises(ClusterError):
            await ensure_keys(site, region)
    assert site.regions[key].keys == known
    await ensure_keys(site, region)
    assert plan_of(site) == KeyPlan((1, 2), 1)


async def test_step_whose_answer_was_lost_does_not_count_as_applied(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ensure_keys(site, add_region(site))
    add_rack(site)
    region, apply = add_region(site, rotation=2), site.client.apply
    rendered(site)

    async def lose_the_answer(*arguments: Any) -> Any:
        await apply(*arguments)
        raise ClusterError("the connection was lost")

    site.waiting()
    with monkeypatch.context() as outage:
        outage.setattr(site.client, "apply", lose_the_answer)
        with pytest.raises(ClusterError):
            await ensure_keys(site, region)
    # The queue tries the region again by itself, and not before a while.
    assert site.waiting() == {"rack demo"}
    with pytest.raises(Conflict):
        await ensure_keys(site, region)
    assert plan_of(site) == KeyPlan((1, 2), 1), "what was written has been read"
    await ensure_keys(site, region)
    assert plan_of(site) == KeyPlan((1, 2), 1), "and nothing is rendered by it yet"
    rendered(site)
    await ensure_keys(site, region)
    assert plan_of(site) == KeyPlan((1, 2), 2)


async def test_another_operator_goes_on_with_a_rotation(site: Site) -> None:
    await ensure_keys(site, add_region(site))
    add_rack(site)
    region = add_region(site, rotation=2)
    for expected in (KeyPlan((1, 2), 1), KeyPlan((1, 2), 2), KeyPlan((2,), 2), KeyPlan((2,), 2)):
        for state in site.regions.values():
            state.keys = None
        await ensure_keys(site, region)
        assert plan_of(site) == expected
        rendered(site)


async def test_key_that_is_no_longer_accepted_stays_mounted_until_the_next_rotation(site: Site) -> None:
    """A configuration that includes it still runs where it was not replaced yet, and named may start anew there."""
    await ensure_keys(site, add_region(site))
    for rotation, mounted in ((2, {"tsig-1.key", "tsig-2.key"}), (3, {"tsig-2.key", "tsig-3.key"})):
        region = add_region(site, rotation)
        for _ in range(3):
            await ensure_keys(site, region)
            rendered(site)
        data = site.client.objects[("Secret", gen.NAMESPACE, "demo-keys")]["data"]
        assert {name for name in data if name.endswith(".key")} == mounted


async def test_steps_are_some_seconds_apart(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    await ensure_keys(site, add_region(site))
    region = add_region(site, rotation=2)
    await ensure_keys(site, region)
    rendered(site)
    monkeypatch.setattr(keys, "OVERLAP_S", 60.0)
    await ensure_keys(site, region)
    assert plan_of(site) == KeyPlan((1, 2), 1), "an UPDATE that the step before signed may be under way"


async def test_of_two_operators_that_both_rotate_one_is_told(site: Site) -> None:
    await ensure_keys(site, add_region(site))
    known = site.region_keys()
    site.regions[(gen.NAMESPACE, "demo")].keys = RegionKeys(known.tsig, known.agent, version="of yesterday")
    region = add_region(site, rotation=2)
    with pytest.raises(Conflict):
        await ensure_keys(site, region)
    await ensure_keys(site, region)
    assert plan_of(site) == KeyPlan((1, 2), 1)
