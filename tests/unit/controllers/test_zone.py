"""One region's zone: which version is right, when it may be decided, and how it gets to the servers."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from ipaddress import ip_address, ip_interface, ip_network
from typing import Any

import pytest

from rackrelay import names
from rackrelay.cluster.client import CONFIG_MAP, NODE, POD, RACK, REGION, SUBNET
from rackrelay.controllers import keep, repairs
from rackrelay.controllers import zone as zone_module
from rackrelay.controllers.context import PARALLEL_REPAIRS, RegionKeys
from rackrelay.controllers.verify import Rota, verify_next
from rackrelay.controllers.zone import choose_version, is_settled, reconcile_zone
from rackrelay.errors import ClusterError, Conflict, NotLeading, NotReady
from rackrelay.manifests.configmaps import build_zone_config
from rackrelay.model.observed import PeerSight, RackInterface
from rackrelay.model.region import RegionController
from rackrelay.zone import kept, publish, steadiness
from rackrelay.zone.kept import read_zone
from rackrelay.zone.parts import split_change
from rackrelay.zone.plan import Zone, plan_change
from rackrelay.zone.publish import Outcome
from rackrelay.zone.records import Rrsets
from tests import gen
from tests.fakes.name_server import FakeNameServer
from tests.unit.controllers.site import Site

REGION_ = gen.region()
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


class Lab(ExitStack):
    """A region without pods and racks whose name servers are fakes on loopback, one an address."""

    def __init__(self, site: Site, port: int) -> None:
        super().__init__()
        self.site, self.port = site, port
        site.put(REGION, gen.body("RegionController", "demo", {"replicas": 2}))
        site.put(RACK, gen.body("RackController", "demo", {"pods": {"nodeSelector": gen.RACK_NODES}}))
        site.put(SUBNET, gen.body("Subnet", "prov", {"cidr": "10.10.0.0/24"}))
        site.keys[REGION_.meta.key] = RegionKeys(gen.KEY, b"agent key")

    def add_rack(self, number: int, zone: Zone | None = None) -> FakeNameServer:
        """A rack whose address on the subnet is 10.10.0.<number>."""
        self.add_pod(number)
        fake = FakeNameServer(zone or gen.zone(0), gen.KEY, f"127.54.0.{number}", self.port)
        self.enter_context(fake)
        return fake

    def add_pod(self, number: int, grace_s: int = 30) -> None:
        """The rack's pod, which is given so long to stop."""
        name, address = f"rack{number}", f"127.54.0.{number}"
        labels = {names.LABEL_COMPONENT: names.COMPONENT_RACK, names.LABEL_RACK_CONTROLLER: "demo"}
        self.site.put(NODE, {"metadata": {"name": name, "labels": gen.RACK_NODES}})
        metadata = {"namespace": gen.NAMESPACE, "name": f"demo-rack-{number}", "uid": name, "labels": labels}
        spec = {"nodeName": name, "terminationGracePeriodSeconds": grace_s}
        self.site.put(POD, {"metadata": metadata, "spec": spec, "status": {"podIP": address}})

    def see(self, number: int, serial: int, **status: Any) -> None:
        """The rack's DNS and agent have answered."""
        region = self.site.cache.regions(gen.NAMESPACE)[0]
        self.site.book.track(self.site.servers_of(region))
        sighting = self.site.book.find(gen.NAMESPACE, f"rack{number}")
        assert sighting is not None
        self.site.book.answered(sighting.server, serial, self.site.now())
        sighting.status = gen.status(f"10.10.0.{number}/24", **status)
        sighting.status_at = self.site.now()

    def lose(self, number: int) -> None:
        """The rack's DNS has not answered for long."""
        sighting = self.site.book.find(gen.NAMESPACE, f"rack{number}")
        assert sighting is not None
        sighting.misses = 100

    async def reconcile(self) -> None:
        await reconcile_zone(self.site, self.region)

    @property
    def region(self) -> RegionController:
        return self.site.cache.regions(gen.NAMESPACE)[0]

    @property
    def kept(self) -> Zone | None:
        """The zone in the ConfigMap."""
        found = self.site.client.objects.get(("ConfigMap", gen.NAMESPACE, "demo-zone"))
        if found is None:
            return None
        zone = read_zone(found, gen.DOMAIN)
        assert found["data"][names.KEY_ZONE_SERIAL] == str(zone.serial)
        return zone


def zone_of(serial: int, *numbers: int) -> Zone:
    return Zone(gen.DOMAIN, 15, serial, {("10-10-0-0--24", "A"): tuple(f"10.10.0.{n}" for n in numbers)})


@pytest.fixture
def lab(site: Site, monkeypatch: pytest.MonkeyPatch, unused_port: int) -> Iterator[Lab]:
    monkeypatch.setattr(names, "PORT_DNS", unused_port)
    # A busy machine is no server that hangs.
    monkeypatch.setattr(repairs, "PATIENCE_S", 5.0)
    with Lab(site, unused_port) as lab:
        yield lab


async def test_region_without_pods_gets_an_empty_zone_for_them_to_start_from(lab: Lab) -> None:
    await lab.reconcile()
    assert lab.kept == gen.zone(1)


async def test_no_zone_before_there_are_keys(lab: Lab) -> None:
    lab.site.keys.clear()
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
    published = [s for s in tally.publishes[lab.region.meta.key].samples({}) if s.suffix == "_count"]
    assert [s.value for s in published] == [2]
    # The first server was repaired, from an empty zone; the second time it was in reach and did not answer any more.
    assert tally.updates[Outcome.UPDATED] == 1
    assert tally.updates[Outcome.UNREACHABLE] >= 1


def peers(**heard: bool) -> tuple[PeerSight, ...]:
    """What a rack hears of others on the subnet; r3=False: not 10.10.0.3."""
    return tuple(
        PeerSight(ip_network("10.10.0.0/24"), ip_address(f"10.10.0.{rack[1:]}"), ok) for rack, ok in heard.items()
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
    assert "zone demo" in lab.site.waiting()
    monkeypatch.setattr(steadiness, "FIRST_HOLD_S", 0.0)
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
    assert lab.site.zones[REGION_.meta.key].answers[ip_network("10.10.0.0/24")].fail_open


async def test_config_map_is_written_before_the_servers(lab: Lab) -> None:
    """Otherwise a serial could be used twice after a crash in between."""
    fake = lab.add_rack(2)
    lab.see(2, 0)
    lab.site.client.fail = True
    with pytest.raises(Exception, match="does not answer"):
        await lab.reconcile()
    assert fake.record.updates == []


async def test_dead_rack_is_withdrawn_and_comes_back(lab: Lab) -> None:
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
    with pytest.raises(NotReady, match="asked"):
        await lab.reconcile()
    assert lab.kept is None


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        pytest.param({}, False, id="not yet asked"),
        pytest.param({"misses": 3}, False, id="its DNS is silent: regions may hear it"),
        pytest.param({"misses": 20}, True, id="its DNS is dead"),
        pytest.param({"misses": 2}, False, id="its DNS may be dead"),
        pytest.param({"answered_at": 1.0, "status": gen.status()}, True, id="both have answered"),
        pytest.param({"status": gen.status()}, False, id="the agent was faster than DNS"),
        pytest.param({"answered_at": 1.0}, False, id="DNS was faster than the agent"),
        pytest.param({"answered_at": 1.0, "status_misses": 3}, True, id="its agent is dead"),
    ],
)
async def test_settled_when_every_server_was_asked(lab: Lab, seen: dict[str, Any], expected: bool) -> None:
    lab.add_rack(2)
    lab.add_rack(3)
    lab.see(2, 0)
    sighting = lab.site.book.find(gen.NAMESPACE, "rack3")
    assert sighting is not None
    for name, value in seen.items():
        setattr(sighting, name, value)
    assert is_settled(lab.site, lab.region, lab.site.servers_of(lab.region)) is expected


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
    lab.site.book.track(lab.site.servers_of(lab.region))
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


def zone_config(zone: Zone) -> gen.Manifest:
    return build_zone_config(gen.NAMESPACE, "demo", zone, None)


async def test_damaged_config_map_is_as_good_as_lost(lab: Lab) -> None:
    config = zone_config(zone_of(7, 2))
    config["data"][names.KEY_ZONE_TEXT] = "not a zone"
    lab.site.put(CONFIG_MAP, config)
    fake = lab.add_rack(2, zone_of(7, 2))
    lab.see(2, 7)
    await lab.reconcile()
    assert lab.kept == fake.zone == zone_of(8, 2)


NEXT = "10-10-1-0--24"


async def serve_two(lab: Lab) -> list[FakeNameServer]:
    """Racks 2 and 3 serve serial 1."""
    fakes = [lab.add_rack(2), lab.add_rack(3)]
    for number in (2, 3):
        lab.see(number, 0)
    await lab.reconcile()
    assert [f.zone for f in fakes] == [zone_of(1, 2, 3)] * 2
    lab.site.client.writes.clear()
    lab.site.waiting()
    return fakes


def at_once() -> Rota:
    """Every server's turn is now, again and again."""
    return Rota(every_s=1e-6, chance=lambda: 0.0)


def outcome(lab: Lab, number: int) -> Outcome:
    found = lab.site.zones[REGION_.meta.key].outcomes
    return next(o for s, o in found.items() if s.name == f"rack{number}")


async def test_comparing_servers_that_are_right_writes_nothing(lab: Lab) -> None:
    fakes = await serve_two(lab)
    rota = at_once()
    before = [len(f.record.updates) for f in fakes]
    for _ in range(4):
        await verify_next(lab.site, rota)
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
    rota = at_once()
    for _ in range(2):
        await verify_next(lab.site, rota)
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


async def test_drifted_server_out_of_reach_is_not_forgotten_nor_waited_for(lab: Lab) -> None:
    fakes = await serve_two(lab)
    fakes[1].zone = zone_of(1, 9)
    rota = at_once()
    for _ in range(2):
        await verify_next(lab.site, rota)
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
    rota = at_once()
    for _ in range(2):
        await verify_next(lab.site, rota)
    assert lab.site.waiting() == set()


def test_turns_are_spread_and_come_again() -> None:
    chances = iter([0.1, 0.5, 0.9, 0.5, 0.5, 0.5, 0.5])
    rota = Rota(100.0, lambda: next(chances))
    servers = [gen.server(name) for name in ("a", "b", "c")]
    assert rota.choose(servers, 0.0) is None
    assert [rota.choose(servers, now) for now in (9.0, 10.0, 11.0)] == [None, servers[0], None]
    assert [rota.choose(servers, now) for now in (95.0, 95.0, 95.0)] == [servers[1], servers[2], None]
    assert rota.choose(servers, 110.0) == servers[0]
    assert rota.choose([], 500.0) is None


async def test_zone_that_does_not_fit_leaves_the_published_one_and_says_so(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    fakes = await serve_two(lab)
    monkeypatch.setattr(kept, "PACK_ABOVE_BYTES", 10)
    monkeypatch.setattr(kept, "MAX_PACKED_BYTES", 10)
    fakes[1].silent = True
    lab.lose(3)
    await lab.reconcile()
    assert fakes[0].zone == zone_of(1, 2, 3)
    assert "divide the Subnets" in lab.site.zones[REGION_.meta.key].problem
    monkeypatch.undo()
    monkeypatch.setattr(names, "PORT_DNS", lab.port)
    await lab.reconcile()
    assert lab.kept == fakes[0].zone == zone_of(2, 2)
    assert lab.site.zones[REGION_.meta.key].problem == ""


async def test_zone_that_cannot_be_written_is_told_and_tried_again(lab: Lab) -> None:
    fakes = await serve_two(lab)
    fakes[1].silent = True
    lab.lose(3)
    lab.site.client.fail = True
    with pytest.raises(ClusterError):
        await lab.reconcile()
    state = lab.site.zones[REGION_.meta.key]
    assert (state.reason, state.problem) == ("NotWritten", "the API server does not answer")
    assert "region demo" in lab.site.waiting()
    lab.site.client.fail = False
    await lab.reconcile()
    assert lab.kept == fakes[0].zone == zone_of(2, 2)
    assert lab.site.zones[REGION_.meta.key].problem == ""


async def test_long_zone_is_kept_packed_and_read_again(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "PACK_ABOVE_BYTES", 10)
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


async def test_server_that_hangs_in_its_repair_holds_up_no_change(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    fakes = [lab.add_rack(2), lab.add_rack(3)]
    lab.see(2, 0)
    lab.see(3, 0)
    await lab.reconcile()
    released = asyncio.Event()

    async def hang(*arguments: Any) -> Outcome:
        await released.wait()
        return Outcome.DRIFTED

    monkeypatch.setattr(publish, "repair", hang)
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
    assert len(lab.site.repairs) == 1
    lab.site.waiting()
    (repair,) = lab.site.repairs.values()
    lab.site.zones[REGION_.meta.key] = replace(lab.site.zones[REGION_.meta.key], zone=zone_of(repair.serial, 2, 4))
    released.set()
    await asyncio.wait([repair.task])
    await asyncio.sleep(0)
    assert outcome(lab, 4) is Outcome.DRIFTED
    assert lab.site.waiting() == {"zone demo", "region demo"}
    assert lab.site.repairs == {}


async def test_server_that_was_too_slow_is_not_waited_for_again(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    released = asyncio.Event()

    async def hang(*arguments: Any) -> Outcome:
        await released.wait()
        return Outcome.UPDATED

    monkeypatch.setattr(publish, "repair", hang)
    monkeypatch.setattr(repairs, "PATIENCE_S", 0.05)
    version = repairs.Version(lab.region, zone_of(5, 2), gen.KEY)
    server = gen.server("rack2")
    assert await repairs.repair_all(lab.site, [server], version) == {server: Outcome.DIFFERS}
    # Were it waited for, it would not be in time.
    monkeypatch.setattr(repairs, "PATIENCE_S", 60.0)
    async with asyncio.timeout(5):
        assert await repairs.repair_all(lab.site, [server], version) == {server: Outcome.DIFFERS}
    released.set()
    await asyncio.wait([lab.site.repairs[server].task])
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

    monkeypatch.setattr(publish, "repair", count)
    servers = [gen.server(f"rack{number}") for number in range(3 * PARALLEL_REPAIRS)]
    version = repairs.Version(lab.region, zone_of(5, 2), gen.KEY)
    outcomes = await repairs.repair_all(lab.site, servers, version)
    assert set(outcomes.values()) == {Outcome.UPDATED}
    assert most == PARALLEL_REPAIRS


async def test_written_zone_is_not_parsed_again(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """A large one takes longer than all the rest of a change."""
    lab.add_rack(2)
    lab.see(2, 0)
    await lab.reconcile()
    parsed: list[Any] = []

    def read(*arguments: Any) -> Zone:
        parsed.append(arguments)
        return zone_of(1)

    monkeypatch.setattr(keep, "read_zone", read)
    await lab.reconcile()
    assert parsed == []
    lab.site.put(CONFIG_MAP, zone_config(zone_of(9, 2)))
    await lab.reconcile()
    assert parsed
