"""Servers that serve another zone than the published one: found, compared, and put right beside everything else."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from rackrelay.cluster.client import CONFIG_MAP
from rackrelay.controllers.publish import repairs
from rackrelay.controllers.publish.verify import Schedule, verify_next
from rackrelay.controllers.state.region_state import PARALLEL_REPAIRS
from rackrelay.nameservers import push
from rackrelay.nameservers.push import Outcome
from rackrelay.zone import damping
from rackrelay.zone.plan import Zone
from tests import gen
from tests.unit.controllers.publish.zone_lab import REGION_, Lab, serve_two, zone_config, zone_of


async def test_new_pod_with_an_empty_zone_is_brought_up_without_a_new_version(lab: Lab) -> None:
    lab.site.put(CONFIG_MAP, zone_config(zone_of(7, 2)))
    fake = lab.add_rack(2)
    lab.see(2, 0)
    await lab.reconcile()
    assert lab.kept == fake.zone == zone_of(7, 2)


async def test_server_that_is_ahead_makes_a_greater_version(lab: Lab) -> None:
    lab.site.put(CONFIG_MAP, zone_config(zone_of(7, 2)))
    fake = lab.add_rack(2, gen.zone(12, odd=("10.9.9.9",)))
    lab.see(2, 12)
    await lab.reconcile()
    assert lab.kept == fake.zone == zone_of(13, 2)


@pytest.mark.parametrize("serial", [2**32 - 1, 2**31, 2**31 - 1, 2**30])
async def test_server_that_is_absurdly_ahead_spoils_publishing_for_nobody(lab: Lab, serial: int) -> None:
    lab.site.put(CONFIG_MAP, zone_config(zone_of(7, 2)))
    good, odd = lab.add_rack(2, zone_of(7, 2)), lab.add_rack(3, gen.zone(serial))
    lab.see(2, 7)
    lab.see(3, serial)
    await lab.reconcile()
    assert lab.kept == good.zone
    assert good.zone.serial == 8
    assert odd.record.updates == []
    assert outcome(lab, 3) is Outcome.DIFFERS


def at_once() -> Schedule:
    """Every server's turn is now, again and again."""
    return Schedule(every_s=1e-6, chance=lambda: 0.0)


def outcome(lab: Lab, number: int) -> Outcome:
    found = lab.site.zone_state().outcomes
    return next(o for s, o in found.items() if s.name == f"rack{number}")


async def test_comparing_servers_that_are_right_writes_nothing(lab: Lab) -> None:
    fakes = await serve_two(lab)
    schedule = at_once()
    before = [len(f.record.updates) for f in fakes]
    for _ in range(4):
        await verify_next(lab.site, schedule)
    assert sum(f.record.transfers for f in fakes) >= 4
    assert (lab.site.client.writes, lab.site.waiting()) == ([], set())
    assert [len(f.record.updates) for f in fakes] == before


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param(zone_of(1, 9), id="other addresses"),
        pytest.param(gen.zone(1), id="no names"),
        pytest.param(gen.zone(1, 15, **{"10-10-0-0--24": ("10.10.0.2", "10.10.0.3"), "odd": ("10.9.9.9",)}), id="more"),
    ],
)
async def test_zone_that_somebody_changed_by_the_same_serial_is_put_right(lab: Lab, changed: Zone) -> None:
    fakes = await serve_two(lab)
    fakes[1].zone = changed
    schedule = at_once()
    for _ in range(2):
        await verify_next(lab.site, schedule)
    assert outcome(lab, 3) is Outcome.DRIFTED
    assert lab.site.waiting() == {"zone demo", "region demo"}
    (event,) = [o for (kind, _, _), o in lab.site.client.objects.items() if kind == "Event"]
    assert (event["type"], event["reason"]) == ("Warning", "ContentDiffers")
    assert "rack3" in event["message"]
    await lab.reconcile()
    assert lab.kept == zone_of(2, 2, 3)
    assert [f.zone for f in fakes] == [zone_of(2, 2, 3)] * 2
    assert fakes[0].record.history == [gen.zone(0), zone_of(1, 2, 3), zone_of(2, 2, 3)], "one small step for the other"
    assert outcome(lab, 3) is Outcome.UPDATED


async def test_drifted_server_out_of_reach_is_not_forgotten_nor_waited_for(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(damping, "FIRST_HOLD_S", 0.0)
    fakes = await serve_two(lab)
    fakes[1].zone = zone_of(1, 9)
    schedule = at_once()
    for _ in range(2):
        await verify_next(lab.site, schedule)
    fakes[1].silent = True
    lab.lose(3)
    await lab.reconcile()
    assert lab.kept == fakes[0].zone == zone_of(2, 2)
    assert outcome(lab, 3) is Outcome.DRIFTED
    lab.site.client.writes.clear()
    await lab.reconcile()
    assert lab.site.client.writes == [], "no new version while it would not reach it"
    fakes[1].silent = False
    lab.see(3, 1)
    await lab.reconcile()
    assert lab.kept == fakes[0].zone == fakes[1].zone == zone_of(3, 2, 3)
    assert outcome(lab, 3) is Outcome.UPDATED


async def test_last_server_drifted_and_went_away_for_a_while(lab: Lab) -> None:
    """Nothing else changes meanwhile, so that it comes back with the serial that is still the published one."""
    fake = lab.add_rack(2)
    lab.see(2, 0)
    await lab.reconcile()
    fake.zone = zone_of(1, 9)
    await verify_next(lab.site, at_once())
    lab.lose(2)
    await lab.reconcile()
    assert lab.kept == zone_of(1, 2)
    lab.see(2, 1)
    await lab.reconcile()
    assert lab.kept == fake.zone == zone_of(2, 2)


async def test_server_that_another_version_reached_meanwhile_is_not_blamed(lab: Lab) -> None:
    fakes = await serve_two(lab)
    for fake in fakes:
        fake.zone = zone_of(2, 2, 3)
    schedule = at_once()
    for _ in range(2):
        await verify_next(lab.site, schedule)
    assert lab.site.waiting() == set()


def test_turns_are_spread_and_come_again() -> None:
    chances = iter([0.1, 0.5, 0.9, 0.5, 0.5, 0.5, 0.5])
    schedule = Schedule(100.0, lambda: next(chances))
    servers = [gen.server(name) for name in ("a", "b", "c")]
    assert schedule.choose(servers, 0.0) is None
    assert [schedule.choose(servers, now) for now in (9.0, 10.0, 11.0)] == [None, servers[0], None]
    assert [schedule.choose(servers, now) for now in (95.0, 95.0, 95.0)] == [servers[1], servers[2], None]
    assert schedule.choose(servers, 110.0) == servers[0]
    assert schedule.choose([], 500.0) is None


async def test_server_that_hangs_in_its_repair_holds_up_no_change(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    fakes = [lab.add_rack(2), lab.add_rack(3)]
    lab.see(2, 0)
    lab.see(3, 0)
    await lab.reconcile()
    released = asyncio.Event()

    async def hang(*arguments: Any) -> Outcome:
        await released.wait()
        return Outcome.DRIFTED

    monkeypatch.setattr(push, "repair", hang)
    monkeypatch.setattr(repairs, "PATIENCE_S", 0.05)
    lab.add_rack(4)
    lab.see(4, 7)
    await lab.reconcile()
    assert outcome(lab, 4) is Outcome.DIFFERS
    assert fakes[0].zone == fakes[1].zone == lab.kept
    lab.lose(3)
    await lab.reconcile()
    assert fakes[0].zone.rrsets == zone_of(1, 2, 4).rrsets
    # One repair at a time for each server, and what it says in the end is heard.
    assert len(lab.site.regions[REGION_.meta.key].repairs) == 1
    lab.site.waiting()
    (repair,) = lab.site.regions[REGION_.meta.key].repairs.values()
    lab.site.regions[REGION_.meta.key].zone = replace(lab.site.zone_state(), zone=zone_of(repair.serial, 2, 4))
    released.set()
    await asyncio.wait([repair.task])
    await asyncio.sleep(0)
    assert outcome(lab, 4) is Outcome.DRIFTED
    assert lab.site.waiting() == {"zone demo", "region demo"}
    assert lab.site.regions[REGION_.meta.key].repairs == {}


async def test_server_that_was_too_slow_is_not_waited_for_again(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    released = asyncio.Event()

    async def hang(*arguments: Any) -> Outcome:
        await released.wait()
        return Outcome.UPDATED

    monkeypatch.setattr(push, "repair", hang)
    monkeypatch.setattr(repairs, "PATIENCE_S", 0.05)
    version = repairs.Version(lab.region, zone_of(5, 2), gen.KEY)
    server = gen.server("rack2")
    assert await repairs.repair_all(lab.site, [server], version) == {server: Outcome.DIFFERS}
    # Were it waited for, it would not be in time.
    monkeypatch.setattr(repairs, "PATIENCE_S", 60.0)
    async with asyncio.timeout(5):
        assert await repairs.repair_all(lab.site, [server], version) == {server: Outcome.DIFFERS}
    released.set()
    await asyncio.wait([lab.site.regions[REGION_.meta.key].repairs[server].task])
    await asyncio.sleep(0)
    assert lab.site.waiting() == {"zone demo", "region demo"}


async def test_few_repairs_run_at_once(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    running, most = 0, 0

    async def count(*arguments: Any) -> Outcome:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.01)
        running -= 1
        return Outcome.UPDATED

    monkeypatch.setattr(push, "repair", count)
    servers = [gen.server(f"rack{number}") for number in range(3 * PARALLEL_REPAIRS)]
    version = repairs.Version(lab.region, zone_of(5, 2), gen.KEY)
    outcomes = await repairs.repair_all(lab.site, servers, version)
    assert set(outcomes.values()) == {Outcome.UPDATED}
    assert most == PARALLEL_REPAIRS
