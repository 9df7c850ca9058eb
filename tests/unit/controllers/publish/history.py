"""What may happen, in any order, to a site of three racks and a region replica: the rules of the histories."""

from dataclasses import dataclass, field
from ipaddress import ip_address, ip_interface, ip_network
from typing import Any, cast

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from rackrelay import names
from rackrelay.cluster.cache import Cache
from rackrelay.cluster.client import NODE, POD, RACK, REGION, SUBNET, Kind
from rackrelay.controllers import work
from rackrelay.controllers.dispatch import route
from rackrelay.controllers.health.rack_health import RackHealth
from rackrelay.controllers.kinds import KINDS, parsers
from rackrelay.controllers.loops.listen import take_heard
from rackrelay.controllers.loops.poll import take_status
from rackrelay.controllers.loops.probing import enqueue_changes
from rackrelay.controllers.publish.zone import decide_names
from rackrelay.controllers.queue import Queue
from rackrelay.controllers.work import Key
from rackrelay.model.region import RegionController
from rackrelay.protocol.heard_document import Heard, HeardRack
from rackrelay.protocol.status_document import AgentStatus, PeerObservation, RackInterface
from rackrelay.zone.decision import Decision
from rackrelay.zone.rule import RackView
from tests import gen
from tests.fakes.api import FakeClient
from tests.unit.controllers.conftest import SETTINGS
from tests.unit.controllers.site import Site, never

RACKS = ("rack1", "rack2", "rack3")
CIDRS = ("10.10.0.0/24", "10.10.0.0/29", "10.20.0.0/24")
HOSTS = ("10.10.0.2/24", "10.10.0.9/24", "10.20.0.2/24", "192.0.2.2/24")
REPLICA = gen.server("demo-region-0", "10.0.0.9", names.PORT_REGION_DNS)

racks = st.sampled_from(RACKS)


class StillQueue(Queue):
    """Nothing is reconciled but when the test says so. `later`: zone -> in how many seconds it is due."""

    def __init__(self) -> None:
        super().__init__(never)
        self.later: dict[Key, float] = {}

    def add_later(self, key: Key, delay_s: float) -> None:
        """Noted; there is no clock."""
        if key.work == work.ZONE:
            self.later[key] = min(delay_s, self.later.get(key, delay_s))

    def pass_time(self, seconds: float) -> None:
        """What is due by then waits with the rest."""
        for key, delay_s in list(self.later.items()):
            self.later[key] = delay_s - seconds
            if self.later[key] <= 0:
                del self.later[key]
                self.add(key)

    def take_zones(self) -> set[Key]:
        """The zones that wait; they do not any more."""
        waiting = {key for key in self._dirty if key.work == work.ZONE}
        self._dirty.clear()
        return waiting


@dataclass
class ClockedSite(Site):
    """A Site whose time is set by the test."""

    clock: float = field(default=1000.0)

    def now(self) -> float:
        """The test's time."""
        return self.clock


def build_site() -> ClockedSite:
    """Three racks and a region replica on two provisioning networks, one of them with a smaller one inside."""
    queue = StillQueue()
    site = ClockedSite(SETTINGS, FakeClient(), Cache(parsers()), queue, RackHealth(), cast(Any, None), KINDS)
    site.put(REGION, gen.body("RegionController", "demo", {"replicas": 1}))
    site.put(RACK, gen.body("RackController", "demo", {"pods": {"nodeSelector": gen.RACK_NODES}}))
    for cidr in CIDRS:
        site.put(SUBNET, gen.body("Subnet", names.subnet_label(ip_network(cidr)), {"cidr": cidr}))
    for number, rack in enumerate(RACKS, start=1):
        site.put(NODE, node_body(rack, ready=True, drained=False))
        site.put(POD, pod_body(names.COMPONENT_RACK, f"demo-{rack}", rack, f"10.0.0.{number}"))
    site.put(POD, pod_body(names.COMPONENT_REGION, REPLICA.name, "region1", REPLICA.address))
    return site


def node_body(name: str, ready: bool, drained: bool) -> gen.Manifest:
    labels = {**gen.RACK_NODES, **({names.LABEL_DRAIN: "true"} if drained else {})}
    return {
        "metadata": {"name": name, "labels": labels},
        "status": {"conditions": [{"type": "Ready", "status": str(ready)}]},
    }


def pod_body(component: str, name: str, node: str, address: str) -> gen.Manifest:
    owner = names.LABEL_REGION if component == names.COMPONENT_REGION else names.LABEL_RACK_CONTROLLER
    labels = {names.LABEL_COMPONENT: component, owner: "demo"}
    metadata = {"namespace": gen.NAMESPACE, "name": name, "uid": name, "labels": labels}
    return {"metadata": metadata, "spec": {"nodeName": node}, "status": {"podIP": address}}


class History(RuleBasedStateMachine):
    """Two operators, which learn of everything as they really do; one leads. `served`: the serial published last.

    `has`: rack -> the addresses that its agent named last.
    """

    def __init__(self) -> None:
        super().__init__()
        self.site, self.follower = build_site(), build_site()
        self.served = 0
        self.has: dict[str, set[Any]] = {rack: set() for rack in RACKS}
        self.track()

    @property
    def sites(self) -> tuple[ClockedSite, ClockedSite]:
        """The one that leads comes first."""
        return self.site, self.follower

    @property
    def region(self) -> RegionController:
        (region,) = self.site.inventory.regions(gen.NAMESPACE)
        return region

    @property
    def queue(self) -> StillQueue:
        return cast(StillQueue, self.site.queue)

    def track(self) -> None:
        for site in self.sites:
            site.track()

    @rule(seconds=st.sampled_from([0.05, 0.3, 1.0, 2.5, 10.0, 400.0]))
    def wait(self, seconds: float) -> None:
        for site in self.sites:
            site.clock += seconds
            cast(StillQueue, site.queue).pass_time(seconds)

    @rule(rack=racks, old=st.booleans())
    def answer(self, rack: str, old: bool) -> None:
        """A probe is answered, with the serial that is served or with an old one."""
        for site in self.sites:
            site.health.answered(site.sighting(rack).server, max(0, self.served - old), site.clock)

    @rule(who=st.lists(racks, unique=True), misses=st.integers(1, 4))
    def miss(self, who: list[str], misses: int) -> None:
        """Racks, maybe most of them at once, do not answer."""
        for site in self.sites:
            for rack in who:
                site.lose(rack, misses)

    @rule(
        rack=racks,
        hosts=st.none() | st.lists(st.tuples(st.sampled_from(HOSTS), st.booleans()), max_size=3),
        changes=st.sampled_from([{}, {"failing": {"squid": "refused"}}, {"regions_reachable": 0}]),
        heard=st.none() | st.tuples(st.booleans(), st.booleans()),
    )
    def report(
        self,
        rack: str,
        hosts: list[tuple[str, bool]] | None,
        changes: dict[str, Any],
        heard: tuple[bool, bool] | None = None,
    ) -> None:
        """An agent says which addresses its node has, or that it does not know yet, and whether it hears the others."""
        others = [ip_address(f"10.10.0.{2 + i}") for i, other in enumerate(RACKS) if other != rack]
        net = ip_network("10.10.0.0/24")
        peers = tuple(PeerObservation(net, a, h) for a, h in zip(others, heard, strict=True)) if heard else ()
        status = self.status(rack, hosts, {**changes, "peers": peers})
        for site in self.sites:
            take_status(site, self.region, site.sighting(rack).server, status)
        if status.addresses is not None:
            self.has[rack] = set(status.addresses)

    def status(self, rack: str, hosts: list[tuple[str, bool]] | None, changes: dict[str, Any]) -> AgentStatus:
        found = None
        if hosts is not None:
            own = RACKS.index(rack)
            found = tuple(
                RackInterface(f"prov{i}", replace_host(text, own), carrier) for i, (text, carrier) in enumerate(hosts)
            )
        return gen.status(interfaces=found, **changes)

    @rule(who=st.lists(racks, unique=True), serial=st.booleans())
    def hear(self, who: list[str], serial: bool) -> None:
        """The region replica says whom it hears."""
        for site in self.sites:
            heard = {r: HeardRack(r in who, self.served if serial else None, site.sighting(r).status) for r in RACKS}
            site.health.answered(REPLICA, self.served, site.clock)
            take_heard(site, self.region.meta.key, REPLICA, Heard(1, "e1", True, heard))

    @rule(rack=racks, ready=st.booleans(), drained=st.booleans())
    def change_node(self, rack: str, ready: bool, drained: bool) -> None:
        self.change(NODE, node_body(rack, ready, drained))
        self.track()

    def change(self, kind: Kind, body: gen.Manifest) -> None:
        """The watch brings another version of an object."""
        for site in self.sites:
            records = site.cache.upsert(kind, site.client.put(kind, body))
            if records is not None:
                route(site, kind, *records)

    def decide_names(self) -> Decision:
        """What a zone that is reconciled now would answer; by what is known now, whatever was kept."""
        for site in self.sites:
            # A follower judges four times a second, and so at about the same moments.
            site.health.judge(self.region.meta.key, site.inventory.rack_groups_of(self.region), site.clock)
        decision = decide_names(self.site, self.region)
        assert list(decision.racks) == self.make_views()
        return decision

    def make_views(self) -> list[RackView]:
        """All racks, looked at as if for the first time; what is kept of them stays."""
        kept = {rack: self.site.sighting(rack).view for rack in RACKS}
        for rack in RACKS:
            self.site.sighting(rack).view = None
        views = self.site.health.views(self.site.inventory.rack_groups_of(self.region), self.site.clock)
        for rack, view in kept.items():
            self.site.sighting(rack).view = view
        return views

    @rule()
    def look(self) -> None:
        """A round of each operator."""
        for site in self.sites:
            enqueue_changes(site, repair=True)

    @rule()
    def take_over(self) -> None:
        """The other operator leads from now on: an address that two racks have stays with the one that has it."""
        before = holders(self.decide_names())
        for state in self.site.regions.values():
            state.end_term()
        self.site.health.forget_lag()
        self.site, self.follower = self.follower, self.site
        assert holders(self.decide_names()) == before


def holders(decision: Decision) -> dict[Any, str]:
    """Address that several racks have -> the rack that holds it."""
    return {d.address: d.holder for answer in decision.answers.values() for d in answer.disputes}


def replace_host(text: str, own: int) -> Any:
    """The interface with another last number for each rack, so that racks share an address only now and then."""
    interface = ip_interface(text)
    shift = own if interface.ip.packed[-1] == 2 else 0
    return ip_interface(f"{interface.ip + shift}/{interface.network.prefixlen}")
