"""Two operators that publish at once: one is stopped or killed at every point of a change, while the other goes on.

Whatever comes of it, serials grow at every server, a serial means one content, nothing is served that was not kept
before, and in the end everybody has what is wanted.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

import dns.rcode
import dns.update
import pytest

from rackrelay import names
from rackrelay.cluster.client import CONFIG_MAP, NODE, POD, RACK, REGION, SUBNET
from rackrelay.controllers.publish.zone import reconcile_zone
from rackrelay.controllers.state.region_state import RegionKeys
from rackrelay.errors import Conflict, NotLeading
from rackrelay.manifests.configmaps import build_zone_config
from rackrelay.model.region import RegionController
from rackrelay.zone import parts
from rackrelay.zone.plan import Zone
from rackrelay.zone.rule import Rrsets
from rackrelay.zone.storage import read_zone
from tests import gen
from tests.fakes.name_server import FakeNameServer
from tests.fakes.operators import Operator, WatchedClient, connect, end
from tests.unit.controllers.site import Site

SUBNETS = 3
RACKS = (2, 3, 4)
# It has just started: its zone is empty.
LATE = 5
# Two of the three names fit into one UPDATE.
SMALL_PART_BYTES = 130
ROUNDS = 8


class WatchedServer(FakeNameServer):
    """A name server that reports each version that it takes."""

    took: Callable[[Zone], None]

    def _update(self, query: dns.update.UpdateMessage) -> dns.rcode.Rcode:
        code = super()._update(query)
        if code == dns.rcode.NOERROR:
            self.took(self.zone)
        return code


@dataclass
class World:
    """An API server, and name servers that hold every version against what was kept when they took it."""

    agents: object
    api: WatchedClient = field(default_factory=WatchedClient)
    servers: dict[int, WatchedServer] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        for number in (*RACKS, LATE):
            self.servers[number] = WatchedServer(gen.zone(0), gen.KEY, f"127.54.0.{number}", names.PORT_DNS)
            self.servers[number].took = self.check

    @property
    def kept(self) -> list[Zone]:
        """Every version that the ConfigMap has had."""
        return [read_zone(o, gen.DOMAIN) for o in self.api.history if o["kind"] == CONFIG_MAP.name]

    @property
    def changes(self) -> tuple[int, ...]:
        """How often anybody has changed anything so far."""
        return (len(self.api.history), *(len(server.record.history) for server in self.servers.values()))

    def check(self, zone: Zone) -> None:
        """A server has taken a version: a kept one, or one on the way to a kept one."""
        kept = self.kept
        exact = [k for k in kept if k.serial == zone.serial]
        known = {(key, rrset) for k in kept for key, rrset in k.rrsets.items()}
        is_part = zone.serial < kept[-1].serial and set(zone.rrsets.items()) <= known
        if exact and zone not in exact:
            self.wrong.append(f"two contents by the serial {zone.serial}: {zone}")
        if not exact and not is_part:
            self.wrong.append(f"served and not kept: {zone}")

    def operator(self, *drained: int, stop_at: int | None = None) -> Operator:
        """One that has read everything there is, and sees these racks drained."""
        made = Operator(self.api, self.agents, stop_at)
        site = made.site
        cache = site.cache
        cache.upsert(REGION, gen.body("RegionController", "demo", {"replicas": 2}))
        cache.upsert(RACK, gen.body("RackController", "demo", {"pods": {"nodeSelector": gen.RACK_NODES}}))
        for number in range(SUBNETS):
            cache.upsert(SUBNET, gen.body("Subnet", f"s{number}", {"cidr": f"10.10.{number}.0/24"}))
        for number in self.servers:
            add_rack(site, number, number in drained)
        site.regions[region_of(site).meta.key].keys = RegionKeys(gen.KEY, b"agent key")
        self.catch_up(made)
        return made

    def catch_up(self, operator: Operator) -> None:
        """Its watch brings the ConfigMap, its probes what is served."""
        site = operator.site
        for (kind, _, _), stored in self.api.objects.items():
            if kind == CONFIG_MAP.name:
                site.cache.upsert(CONFIG_MAP, stored)
        for number, server in self.servers.items():
            interfaces = (f"10.10.{subnet}.{number}/24" for subnet in range(SUBNETS))
            site.see(f"rack{number}", *interfaces, serial=server.zone.serial)

    async def settle(self, operator: Operator) -> None:
        """It reconciles until nothing changes any more."""
        for _ in range(ROUNDS):
            before = self.changes
            self.catch_up(operator)
            with suppress(Conflict):
                await publish_with(operator)
            if self.changes == before:
                return
        raise AssertionError("it changes something again and again")

    def verify(self, *wanted: int) -> None:
        """The end: every server has the last version kept, which is that of these racks, and the way was right."""
        assert self.wrong == []
        kept = self.kept
        by_serial: dict[int, Zone] = {}
        for zone in kept:
            assert by_serial.setdefault(zone.serial, zone) == zone, "a serial was kept twice"
        assert [z.serial for z in kept] == sorted(z.serial for z in kept)
        for server in self.servers.values():
            serials = [zone.serial for zone in server.record.history]
            assert serials == sorted(set(serials)), server.address
            assert server.zone == kept[-1], server.address
        assert kept[-1].rrsets == rrsets_of(*wanted)


def add_rack(site: Site, number: int, drained: bool) -> None:
    name = f"rack{number}"
    labels = {**gen.RACK_NODES, **({names.LABEL_DRAIN: "true"} if drained else {})}
    site.cache.upsert(NODE, {"metadata": {"name": name, "labels": labels}})
    about = {names.LABEL_COMPONENT: names.COMPONENT_RACK, names.LABEL_RACK_CONTROLLER: "demo"}
    metadata = {"namespace": gen.NAMESPACE, "name": f"demo-rack-{number}", "uid": name, "labels": about}
    spec, status = {"nodeName": name}, {"podIP": f"127.54.0.{number}"}
    site.cache.upsert(POD, {"metadata": metadata, "spec": spec, "status": status})


def region_of(site: Site) -> RegionController:
    return site.inventory.regions(gen.NAMESPACE)[0]


def publish_with(operator: Operator) -> "asyncio.Task[None]":
    return operator.start(partial(reconcile_zone, operator.site, region_of(operator.site)))


@pytest.fixture(params=[parts.PART_BYTES, SMALL_PART_BYTES], ids=["one UPDATE", "several UPDATEs"])
def world(site: Site, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Callable[[], World]:
    """Makes worlds, all alike. The racks of RACKS serve a first version; LATE has nothing yet."""
    monkeypatch.setattr(parts, "PART_BYTES", request.param)
    servers: dict[tuple[str, int], FakeNameServer] = {}
    connect(monkeypatch, servers)

    def make() -> World:
        made = World(site.agents)
        servers.update({(s.address, s.port): s for s in made.servers.values()})
        return made

    return make


def begin(make: Callable[[], World]) -> World:
    """Everybody but LATE serves a first version."""
    world = make()
    first = Zone(gen.DOMAIN, 15, 1, rrsets_of(*RACKS, LATE))
    world.api.put(CONFIG_MAP, build_zone_config(gen.NAMESPACE, "demo", first, None))
    for number in RACKS:
        world.servers[number].zone = first
        world.servers[number].record.history[:] = [first]
    return world


def rrsets_of(*racks: int) -> Rrsets:
    """What each Subnet's name answers with these racks."""
    return {(f"10-10-{subnet}-0--24", "A"): tuple(f"10.10.{subnet}.{n}" for n in racks) for subnet in range(SUBNETS)}


async def stop_at(operator: Operator) -> "asyncio.Task[None] | None":
    """The operator publishes and has stopped at its point; None when it is through before that."""
    task = publish_with(operator)
    stopping = asyncio.create_task(operator.pace.stopped.wait())
    await asyncio.wait([task, stopping], return_when=asyncio.FIRST_COMPLETED)
    if not stopping.done():
        stopping.cancel()
        await task
        return None
    return task


@pytest.mark.parametrize("fenced", [True, False], ids=["fenced", "past its fence"])
@pytest.mark.parametrize("informed", [True, False], ids=["informed", "behind"])
async def test_operator_that_is_stopped_anywhere_spoils_nothing_when_it_wakes(
    world: Callable[[], World], fenced: bool, informed: bool
) -> None:
    """`past its fence`: it was stopped between asking whether it leads and sending, and asks no more. `behind`: the
    other one's watch has not brought what the first one wrote."""
    for point in range(1, 200):
        here = begin(world)
        other = here.operator(3)
        first = here.operator(4, stop_at=point)
        task = await stop_at(first)
        if task is None:
            break
        if informed:
            here.catch_up(other)
        with suppress(Conflict):
            await publish_with(other)
        if fenced:
            first.depose()
        first.pace.resume()
        with suppress(NotLeading, Conflict):
            await task
        await here.settle(other)
        here.verify(2, 4, 5)
    assert point > 12


@pytest.mark.parametrize(
    ("then", "ends_with"),
    [
        pytest.param(3, (2, 4, 5), id="another goes on with what is left"),
        pytest.param(4, (2, 3, 5), id="it follows itself and ends where it would have"),
    ],
)
async def test_operator_that_is_killed_anywhere_leaves_nothing_half_done(
    world: Callable[[], World], then: int, ends_with: tuple[int, ...]
) -> None:
    for point in range(1, 200):
        here = begin(world)
        first = here.operator(4, stop_at=point)
        task = await stop_at(first)
        if task is None:
            break
        await end(first, task)
        await here.settle(here.operator(then))
        here.verify(*ends_with)
    assert point > 12
