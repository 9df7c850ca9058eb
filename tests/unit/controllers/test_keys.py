"""A region's keys: made once, kept from words, and replaced only where every server in reach accepts the new one."""

import base64
from typing import Any

import pytest

from rackrelay import names
from rackrelay.cluster.client import NODE, POD, RACK, REGION
from rackrelay.controllers import keys
from rackrelay.controllers.keys import KeyPlan, ensure_keys, next_plan, volume_mark
from rackrelay.controllers.memory import RegionKeys
from rackrelay.controllers.sighting import LISTENING_S
from rackrelay.errors import ClusterError, Conflict
from rackrelay.model.observed import Heard, RackBeat
from rackrelay.model.region import RegionController
from tests import gen
from tests.unit.controllers.site import Site

MADE = ["create Secret demo-agent-1", "create Secret demo-tsig-1", "apply Secret demo-keys"]


def add_region(site: Site, rotation: int = 1) -> RegionController:
    site.put(REGION, gen.body("RegionController", "demo", {"replicas": 1, "tsig": {"rotation": rotation}}))
    return site.cache.regions(gen.NAMESPACE)[0]


def add_rack(site: Site, **status: Any) -> None:
    """A rack in reach whose agent says this."""
    site.put(RACK, gen.body("RackController", "demo", {"pods": {"nodeSelector": gen.RACK_NODES}}))
    site.put(NODE, {"metadata": {"name": "rack1", "labels": gen.RACK_NODES}})
    labels = {names.LABEL_COMPONENT: names.COMPONENT_RACK, names.LABEL_RACK_CONTROLLER: "demo"}
    metadata = {"namespace": gen.NAMESPACE, "name": "demo-rack-a", "uid": "a", "labels": labels}
    site.put(POD, {"metadata": metadata, "spec": {"nodeName": "rack1"}, "status": {"podIP": "192.0.2.1"}})
    (region,) = site.cache.regions(gen.NAMESPACE)
    for sighting in site.book.track(site.inventory.servers_of(region)):
        sighting.status = gen.status(**status)


def rendered(site: Site, config_hash: str = "c0ffee") -> None:
    """The configuration has been rendered anew, as reconciling the region and its racks does."""
    site.config_hashes[(REGION, gen.NAMESPACE, "demo")] = config_hash
    site.config_hashes[(RACK, gen.NAMESPACE, "demo")] = config_hash


def plan_of(site: Site) -> KeyPlan:
    known = site.keys[(gen.NAMESPACE, "demo")]
    return KeyPlan(known.accepted, known.signing)


@pytest.fixture(autouse=True)
def _no_overlap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "OVERLAP_S", 0.0)


async def test_keys_are_made_once(site: Site) -> None:
    region = add_region(site)
    await ensure_keys(site, region)
    first = site.keys[region.meta.key]
    assert site.client.writes == MADE
    assert len(base64.b64decode(first.tsig.secret)) == 32
    assert first.tsig.name == "1.demo.machines.rackrelay"
    site.keys.clear()
    await ensure_keys(site, region)
    assert site.keys[region.meta.key] == first
    assert site.client.writes == MADE


async def test_keys_are_immutable_and_belong_to_nobody(site: Site) -> None:
    """They outlive the region, so that racks and a region made anew understand each other."""
    await ensure_keys(site, add_region(site))
    for name in ("demo-tsig-1", "demo-agent-1", "demo-keys"):
        secret = site.client.objects[("Secret", gen.NAMESPACE, name)]
        assert secret.get("immutable") is (None if name == "demo-keys" else True)
        assert "ownerReferences" not in secret["metadata"]


async def test_keys_do_not_show_in_words(site: Site) -> None:
    region = add_region(site)
    await ensure_keys(site, region)
    known = site.keys[region.meta.key]
    for secret in (known.tsig.secret, known.agent.decode()):
        assert secret not in repr(known)
        assert secret not in repr(site)


@pytest.mark.parametrize(
    ("plan", "wanted", "applied", "expected"),
    [
        pytest.param(KeyPlan((1,), 1), 1, True, KeyPlan((1,), 1), id="nothing to do"),
        pytest.param(KeyPlan((1,), 1), 2, False, KeyPlan((1, 2), 1), id="both are accepted first"),
        pytest.param(KeyPlan((1, 2), 1), 2, False, KeyPlan((1, 2), 1), id="a server does not know the new key yet"),
        pytest.param(KeyPlan((1, 2), 1), 2, True, KeyPlan((1, 2), 2), id="then the new one signs"),
        pytest.param(KeyPlan((1, 2), 2), 2, True, KeyPlan((2,), 2), id="then the old one goes"),
        pytest.param(KeyPlan((1, 2), 1), 3, True, KeyPlan((1, 2), 2), id="one rotation after the other"),
        pytest.param(KeyPlan((2,), 2), 9, True, KeyPlan((2, 9), 2), id="numbers may be left out"),
    ],
)
def test_next_plan(plan: KeyPlan, wanted: int, applied: bool, expected: KeyPlan) -> None:
    assert next_plan(plan, wanted, applied) == expected


@pytest.mark.parametrize("wanted", [1, 2, 7])
def test_every_plan_on_the_way_signs_with_a_key_that_the_plan_before_accepted(wanted: int) -> None:
    plan = KeyPlan((1,), 1)
    for _ in range(6):
        after = next_plan(plan, wanted, True)
        assert after.signing in plan.accepted
        assert plan.signing in after.accepted
        plan = after
    assert plan == KeyPlan((wanted,), wanted)


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
    assert site.keys[region.meta.key].tsig.name == "2.demo.machines.rackrelay"
    await ensure_keys(site, region)
    assert plan_of(site) == KeyPlan((1, 2), 2), "pods are not told yet which key signs"
    rendered(site)
    await ensure_keys(site, region)
    assert plan_of(site) == KeyPlan((2,), 2)


def hear(site: Site, heard: bool, **status: Any) -> None:
    """A region's replica, which has run for long, hears the rack or does not."""
    replica = gen.server("demo-0")
    region = site.cache.regions(gen.NAMESPACE)[0]
    servers = [*site.inventory.servers_of(region), replica]
    site.book.track(servers, dict.fromkeys(servers, region))
    beat = RackBeat(heard, 1, gen.status(**status))
    for moment in (site.now() - 60.0, site.now()):
        site.book.hear(replica, Heard(1, "epoch", True, {"rack1": beat}), moment)


async def begin_without_reaching_the_rack(site: Site, silent_s: float) -> RegionController:
    """A rotation in its first step, rendered, which the rack had not applied when it fell silent."""
    await ensure_keys(site, add_region(site))
    add_rack(site, config_hash="old")
    region = add_region(site, rotation=2)
    await ensure_keys(site, region)
    rendered(site)
    sighting = site.book.find(gen.NAMESPACE, "rack1")
    assert sighting is not None
    sighting.misses = sighting.detection.misses + int(silent_s / sighting.detection.interval_s)
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
    known = site.keys[key]

    async def fail(*_: Any) -> Any:
        raise ClusterError("the API server does not answer")

    with monkeypatch.context() as outage:
        outage.setattr(site.client, "apply", fail)
        with pytest.raises(ClusterError):
            await ensure_keys(site, region)
    assert site.keys[key] == known
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
        site.keys.clear()
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
    known = site.keys[(gen.NAMESPACE, "demo")]
    site.keys[(gen.NAMESPACE, "demo")] = RegionKeys(known.tsig, known.agent, version="of yesterday")
    region = add_region(site, rotation=2)
    with pytest.raises(Conflict):
        await ensure_keys(site, region)
    await ensure_keys(site, region)
    assert plan_of(site) == KeyPlan((1, 2), 1)
