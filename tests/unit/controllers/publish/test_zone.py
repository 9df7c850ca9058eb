"""One region's zone: which version is right, when it may be decided, and how it gets to the servers."""

from collections.abc import Sequence
from ipaddress import ip_address, ip_interface, ip_network
from typing import Any

import pytest

from rackrelay.cluster.client import CONFIG_MAP, REGION, SUBNET
from rackrelay.controllers.loops.probing import enqueue_changes
from rackrelay.controllers.publish import zone as zone_module
from rackrelay.controllers.publish.zone import choose_version, is_settled
from rackrelay.errors import NotLeading, NotReady
from rackrelay.nameservers.push import Outcome
from rackrelay.protocol.status_document import PeerObservation, RackInterface
from rackrelay.zone import damping
from rackrelay.zone.parts import split_change
from rackrelay.zone.plan import Zone, plan_change
from rackrelay.zone.rule import Rrsets
from tests import gen
from tests.unit.controllers.publish.zone_lab import REGION_, Lab, zone_config, zone_of

OLD: Rrsets = {("a", "A"): ("10.10.0.2",)}
NEW: Rrsets = {("a", "A"): ("10.10.0.3",)}


def published(serial: int, rrsets: Rrsets = OLD, ttl_s: int = 15) -> Zone:
    return Zone(gen.DOMAIN, ttl_s, serial, rrsets)


@pytest.mark.parametrize(
    ("rrsets", "before", "served", "expected"),
    [
        pytest.param(OLD, None, [], published(1), id="the first version"),
        pytest.param(OLD, None, [41, 40], published(42), id="the ConfigMap was lost: greater than what is served"),
        pytest.param(OLD, published(4), [4, 4], published(4), id="nothing to do"),
        pytest.param(OLD, published(4), [3], published(4), id="a server is behind: no new version for that"),
        pytest.param(NEW, published(4), [4], published(5, NEW), id="new content"),
        pytest.param(OLD, published(4), [6], published(7), id="a server is ahead"),
        pytest.param(NEW, published(4), [6, 4], published(7, NEW), id="new content, and a server is ahead"),
        pytest.param(OLD, published(4, ttl_s=60), [4], published(5), id="another TTL"),
    ],
)
def test_choose_version(rrsets: Rrsets, before: Zone | None, served: Sequence[int], expected: Zone) -> None:
    assert choose_version(REGION_, rrsets, before, served) == expected


def test_drifted_server_needs_a_new_version_of_the_same_content() -> None:
    assert choose_version(REGION_, OLD, published(4), [4], renew=True) == published(5)


def test_large_version_leaves_serials_for_its_parts() -> None:
    many: Rrsets = {(f"name-{i}", "A"): (f"10.{i // 250}.{i % 250}.1",) for i in range(5000)}
    version = choose_version(REGION_, many, published(4), [4])
    assert version.serial > 5
    assert len(split_change(plan_change(published(4), version))) > 3
    again = choose_version(REGION_, OLD, version, [])
    assert len(split_change(plan_change(version, again))) > 3


async def test_region_without_pods_gets_an_empty_zone_for_them_to_start_from(lab: Lab) -> None:
    await lab.reconcile()
    assert lab.kept == gen.zone(1)


async def test_no_zone_before_there_are_keys(lab: Lab) -> None:
    lab.site.regions[REGION_.meta.key].keys = None
    with pytest.raises(NotReady, match="keys"):
        await lab.reconcile()
    assert lab.kept is None


async def test_zone_is_published_and_served(lab: Lab) -> None:
    fakes = [lab.add_rack(2), lab.add_rack(3)]
    for number in (2, 3):
        lab.see(number, 0)
    await lab.reconcile()
    assert lab.kept == zone_of(1, 2, 3)
    assert [f.zone for f in fakes] == [zone_of(1, 2, 3)] * 2


async def test_greater_ttl_waits_until_every_rack_serves_on_for_as_long(lab: Lab) -> None:
    for number, grace_s in ((2, 315), (3, 30)):
        lab.add_rack(number)
        lab.add_pod(number, grace_s)
        lab.see(number, 0)
    lab.site.put(REGION, gen.body("RegionController", "demo", {"replicas": 2, "ttlSeconds": 300}))
    await lab.reconcile()
    assert lab.kept == zone_of(1, 2, 3)
    lab.add_pod(3, 315)
    await lab.reconcile()
    assert lab.kept is not None
    assert lab.kept.ttl_s == 300


async def test_second_look_changes_nothing(lab: Lab) -> None:
    fake = lab.add_rack(2)
    lab.see(2, 0)
    await lab.reconcile()
    lab.site.client.writes.clear()
    lab.site.waiting()
    fake.record.updates.clear()
    lab.see(2, 1)
    await lab.reconcile()
    assert (lab.site.client.writes, fake.record.updates, fake.record.transfers) == ([], [], 1)
    assert lab.site.waiting() == set()


async def test_versions_and_what_became_of_updates_are_counted(lab: Lab) -> None:
    fake = lab.add_rack(2)
    lab.see(2, 0)
    await lab.reconcile()
    lab.see(2, 1, interfaces=gen.status("10.10.0.7/24").interfaces)
    fake.silent = True
    await lab.reconcile()
    await lab.reconcile()
    tally = lab.site.tally
    (family,) = tally.publish_times([lab.region.meta.key])
    assert [s.value for s in family.samples if s.name.endswith("_count")] == [2]
    # The first server was repaired, from an empty zone; the second time it was in reach and did not answer any more.
    assert tally.updates[Outcome.UPDATED] == 1
    assert tally.updates[Outcome.UNREACHABLE] >= 1


def peers(**heard: bool) -> tuple[PeerObservation, ...]:
    """What a rack hears of others on the subnet; r3=False: not 10.10.0.3."""
    return tuple(
        PeerObservation(ip_network("10.10.0.0/24"), ip_address(f"10.10.0.{rack[1:]}"), ok) for rack, ok in heard.items()
    )


async def test_rack_that_its_peers_do_not_hear_leaves_the_name_and_comes_back_when_it_has_lasted(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in (2, 3, 4):
        lab.add_rack(number)
    lab.see(2, 0, peers=peers(r3=True, r4=False))
    lab.see(3, 0, peers=peers(r2=True, r4=False))
    lab.see(4, 0, peers=peers(r2=False, r3=False))
    await lab.reconcile()
    assert lab.kept == zone_of(1, 2, 3)
    lab.site.waiting()
    lab.see(2, 1, peers=peers(r3=True, r4=True))
    lab.see(3, 1, peers=peers(r2=True, r4=True))
    lab.see(4, 1, peers=peers(r2=True, r3=True))
    await lab.reconcile()
    assert lab.kept == zone_of(1, 2, 3)
    enqueue_changes(lab.site, repair=False)
    lab.site.waiting()
    monkeypatch.setattr(damping, "FIRST_HOLD_S", 0.0)
    enqueue_changes(lab.site, repair=False)
    assert "zone demo" in lab.site.waiting(), "a round sees that it has lasted"
    await lab.reconcile()
    assert lab.kept == zone_of(2, 2, 3, 4)


async def test_unplugged_rack_leaves_the_name_unless_it_is_the_last(lab: Lab) -> None:
    unplugged = (RackInterface("prov0", ip_interface("10.10.0.3/24"), carrier=False),)
    for number in (2, 3):
        lab.add_rack(number)
    lab.see(2, 0)
    lab.see(3, 0, interfaces=unplugged)
    await lab.reconcile()
    assert lab.kept == zone_of(1, 2)
    lab.lose(2)
    await lab.reconcile()
    assert lab.kept == zone_of(2, 2, 3)
    assert lab.site.zone_state().answers[ip_network("10.10.0.0/24")].fail_open


async def test_dead_rack_is_withdrawn_and_comes_back_when_it_has_lasted(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    fakes = [lab.add_rack(2), lab.add_rack(3)]
    for number in (2, 3):
        lab.see(number, 0)
    await lab.reconcile()
    fakes[1].silent = True
    lab.lose(3)
    await lab.reconcile()
    assert lab.kept == fakes[0].zone == zone_of(2, 2)
    assert fakes[1].zone == zone_of(1, 2, 3)
    fakes[1].silent = False
    lab.see(3, 1)
    await lab.reconcile()
    assert lab.kept == fakes[0].zone == fakes[1].zone == zone_of(2, 2)
    monkeypatch.setattr(damping, "FIRST_HOLD_S", 0.0)
    await lab.reconcile()
    assert lab.kept == fakes[0].zone == fakes[1].zone == zone_of(3, 2, 3)


async def test_last_rack_stays(lab: Lab) -> None:
    fake = lab.add_rack(2)
    lab.see(2, 0)
    await lab.reconcile()
    fake.silent = True
    lab.lose(2)
    await lab.reconcile()
    assert lab.kept == zone_of(1, 2)


async def test_nothing_is_decided_before_every_server_was_asked(lab: Lab) -> None:
    lab.add_rack(2)
    lab.add_rack(3)
    lab.see(2, 0)
    lab.site.waiting()
    with pytest.raises(NotReady, match="asked"):
        await lab.reconcile()
    assert lab.kept is None
    # Soon, and not when its failures have had their turn.
    assert lab.site.waiting() == {"zone demo"}


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        pytest.param({}, False, id="not yet asked"),
        pytest.param({"misses": 3}, False, id="its DNS is silent: regions may hear it"),
        pytest.param({"misses": 20}, True, id="its DNS is dead"),
        pytest.param({"misses": 2}, False, id="its DNS may be dead"),
        pytest.param({"answers": True, "tells": True}, True, id="both have answered"),
        pytest.param({"tells": True}, False, id="the agent was faster than DNS"),
        pytest.param({"answers": True}, False, id="DNS was faster than the agent"),
        pytest.param({"answers": True, "status_misses": 3}, True, id="its agent is dead"),
    ],
)
async def test_settled_when_every_server_was_asked(lab: Lab, seen: dict[str, Any], expected: bool) -> None:
    lab.add_rack(2)
    lab.add_rack(3)
    lab.see(2, 0)
    health, server = lab.site.health, lab.site.sighting("rack3").server
    lab.site.lose("rack3", seen.get("misses", 0))
    if "answers" in seen:
        health.answered(server, 0, lab.site.now())
    if "tells" in seen:
        health.take_status(server, gen.status(), lab.site.now())
    for _ in range(seen.get("status_misses", 0)):
        health.missed_status(server)
    assert is_settled(lab.site, lab.region, lab.site.inventory.servers_of(lab.region)) is expected


async def test_no_update_is_sent_by_who_no_longer_leads(lab: Lab) -> None:
    def refuse() -> float:
        raise NotLeading("another leads")

    lab.site.put(CONFIG_MAP, zone_config(zone_of(7, 2)))
    fakes = [lab.add_rack(2, zone_of(6, 2)), lab.add_rack(3, gen.zone(7))]
    lab.see(2, 6)
    lab.see(3, 7)
    lab.site.client.fence = refuse
    with pytest.raises(NotLeading):
        await lab.reconcile()
    assert [fake.record.updates for fake in fakes] == [[], []]


async def test_subnet_that_comes_while_servers_are_updated_does_no_harm(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.add_rack(2)
    lab.see(2, 0)
    await lab.reconcile()
    update = zone_module.bring_to

    async def update_slowly(*arguments: Any) -> Any:
        lab.site.put(SUBNET, gen.body("Subnet", "late", {"cidr": "10.30.0.0/24"}))
        return await update(*arguments)

    monkeypatch.setattr(zone_module, "bring_to", update_slowly)
    lab.site.put(SUBNET, gen.body("Subnet", "more", {"cidr": "10.20.0.0/24"}))
    await lab.reconcile()
    assert "subnet more" in lab.site.waiting()
    await lab.reconcile()
    assert "subnet late" in lab.site.waiting()
