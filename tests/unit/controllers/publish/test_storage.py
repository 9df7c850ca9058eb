"""The zone in its ConfigMap: what is kept there, who may write it, and which serial goes on from it."""

from typing import Any

import pytest

from rackrelay import names
from rackrelay.cluster.client import CONFIG_MAP, REGION
from rackrelay.controllers.publish import storage
from rackrelay.errors import ClusterError, Conflict
from rackrelay.zone import storage as zone_storage
from rackrelay.zone.plan import Zone
from tests import gen
from tests.unit.controllers.publish.zone_lab import NEXT, Lab, serve_two, zone_config, zone_of


async def test_config_map_is_written_before_the_servers(lab: Lab) -> None:
    """Otherwise a serial could be used twice after a crash in between."""
    fake = lab.add_rack(2)
    lab.see(2, 0)
    lab.site.client.fail = True
    with pytest.raises(Exception, match="does not answer"):
        await lab.reconcile()
    assert fake.record.updates == []


async def test_serial_goes_on_when_the_config_map_was_deleted_and_no_server_is_in_reach(lab: Lab) -> None:
    fake = lab.add_rack(2)
    lab.see(2, 0)
    lab.site.put(CONFIG_MAP, zone_config(zone_of(41, 2)))
    fake.zone = zone_of(41, 2)
    lab.see(2, 41)
    await lab.reconcile()
    del lab.site.client.objects[("ConfigMap", gen.NAMESPACE, "demo-zone")]
    lab.site.cache.remove(CONFIG_MAP, (gen.NAMESPACE, "demo-zone"))
    lab.lose(2)
    await lab.reconcile()
    assert lab.kept == zone_of(42, 2)


async def test_restarted_operator_remembers_the_serial_by_the_regions_status(lab: Lab) -> None:
    """The ConfigMap went away while no operator ran, and no server answers."""
    body = gen.body("RegionController", "demo", {"replicas": 2}, resourceVersion="9")
    lab.site.put(REGION, {**body, "status": {"zone": {"serial": 41}}})
    lab.add_rack(2)
    lab.site.track()
    lab.lose(2)
    await lab.reconcile()
    assert lab.kept is not None
    assert lab.kept.serial == 42


async def test_somebody_else_wrote_the_zone_meanwhile(lab: Lab) -> None:
    fake = lab.add_rack(2)
    lab.site.put(CONFIG_MAP, zone_config(gen.zone(4)))
    lab.site.client.put(CONFIG_MAP, zone_config(gen.zone(9)))
    lab.see(2, 0)
    with pytest.raises(Conflict):
        await lab.reconcile()
    assert fake.record.updates == []
    # Without waiting for the watch, the next attempt goes on from what the other one wrote.
    await lab.reconcile()
    assert lab.kept == fake.zone == zone_of(10, 2)


async def test_somebody_else_made_the_zone_meanwhile(lab: Lab) -> None:
    lab.site.client.put(CONFIG_MAP, zone_config(gen.zone(9)))
    lab.add_rack(2)
    lab.see(2, 0)
    with pytest.raises(Conflict):
        await lab.reconcile()
    await lab.reconcile()
    assert lab.kept == zone_of(10, 2)


async def test_damaged_config_map_is_as_good_as_lost(lab: Lab) -> None:
    config = zone_config(zone_of(7, 2))
    config["data"][names.KEY_ZONE_TEXT] = "not a zone"
    lab.site.put(CONFIG_MAP, config)
    fake = lab.add_rack(2, zone_of(7, 2))
    lab.see(2, 7)
    await lab.reconcile()
    assert lab.kept == fake.zone == zone_of(8, 2)


async def test_zone_that_does_not_fit_leaves_the_published_one_and_says_so(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    fakes = await serve_two(lab)
    monkeypatch.setattr(zone_storage, "PACK_ABOVE_BYTES", 10)
    monkeypatch.setattr(zone_storage, "MAX_PACKED_BYTES", 10)
    fakes[1].silent = True
    lab.lose(3)
    await lab.reconcile()
    assert fakes[0].zone == zone_of(1, 2, 3)
    assert "divide the Subnets" in lab.site.zone_state().problem
    monkeypatch.undo()
    monkeypatch.setattr(names, "PORT_DNS", lab.port)
    await lab.reconcile()
    assert lab.kept == fakes[0].zone == zone_of(2, 2)
    assert lab.site.zone_state().problem == ""


async def test_zone_that_cannot_be_written_is_told_and_tried_again(lab: Lab) -> None:
    fakes = await serve_two(lab)
    fakes[1].silent = True
    lab.lose(3)
    lab.site.client.fail = True
    with pytest.raises(ClusterError):
        await lab.reconcile()
    state = lab.site.zone_state()
    assert (state.reason, state.problem) == ("NotWritten", "the API server does not answer")
    assert "region demo" in lab.site.waiting()
    lab.site.client.fail = False
    await lab.reconcile()
    assert lab.kept == fakes[0].zone == zone_of(2, 2)
    assert lab.site.zone_state().problem == ""


async def test_long_zone_is_kept_packed_and_read_again(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zone_storage, "PACK_ABOVE_BYTES", 10)
    fakes = await serve_two(lab)
    assert lab.kept == zone_of(1, 2, 3)
    stored = lab.site.client.objects[("ConfigMap", gen.NAMESPACE, "demo-zone")]
    assert (stored["data"]["zone"], list(stored["binaryData"])) == ("", ["zone.gz"])
    await lab.reconcile()
    assert lab.site.client.writes == []
    fakes[1].silent = True
    lab.lose(3)
    await lab.reconcile()
    assert lab.kept == fakes[0].zone == zone_of(2, 2)


async def test_restart_of_everything_at_once_keeps_the_serial(lab: Lab) -> None:
    """Pods that start find the ConfigMap, or nothing yet: both end at the published version."""
    lab.site.put(CONFIG_MAP, zone_config(zone_of(41, 2, 3)))
    fakes = [lab.add_rack(2, zone_of(41, 2, 3)), lab.add_rack(3, gen.zone(0))]
    lab.see(2, 41)
    lab.see(3, 0)
    await lab.reconcile()
    assert lab.kept == zone_of(41, 2, 3)
    assert [f.zone for f in fakes] == [zone_of(41, 2, 3)] * 2
    assert "apply ConfigMap demo-zone" not in lab.site.client.writes


async def test_restart_of_everything_at_once_without_the_config_map_starts_above_the_regions_status(lab: Lab) -> None:
    body = gen.body("RegionController", "demo", {"replicas": 2}, resourceVersion="9")
    lab.site.put(REGION, {**body, "status": {"zone": {"serial": 41}}})
    fakes = [lab.add_rack(2), lab.add_rack(3)]
    for number in (2, 3):
        lab.see(number, 0)
    await lab.reconcile()
    assert lab.kept == zone_of(42, 2, 3)
    assert [f.zone for f in fakes] == [zone_of(42, 2, 3)] * 2


async def test_rack_that_comes_back_after_a_week_gets_what_it_missed_and_sets_nobody_back(lab: Lab) -> None:
    old = gen.zone(3, 60, **{"10-10-0-0--24": ("10.10.0.7",), NEXT: ("10.10.1.7",)})
    lab.site.put(CONFIG_MAP, zone_config(zone_of(900, 2, 3)))
    fakes = [lab.add_rack(2, zone_of(900, 2, 3)), lab.add_rack(3, old)]
    lab.see(2, 900)
    lab.see(3, 3)
    await lab.reconcile()
    assert lab.kept == zone_of(900, 2, 3)
    assert [f.zone for f in fakes] == [zone_of(900, 2, 3)] * 2
    assert fakes[0].record.updates == []


async def test_written_zone_is_not_parsed_again(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """A large one takes longer than all the rest of a change."""
    lab.add_rack(2)
    lab.see(2, 0)
    await lab.reconcile()
    parsed: list[Any] = []

    def read(*arguments: Any) -> Zone:
        parsed.append(arguments)
        return zone_of(1)

    monkeypatch.setattr(storage, "read_zone", read)
    await lab.reconcile()
    assert parsed == []
    lab.site.put(CONFIG_MAP, zone_config(zone_of(9, 2)))
    await lab.reconcile()
    assert parsed
