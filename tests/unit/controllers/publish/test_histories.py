"""Whatever racks and regions do in whatever order: what must hold of the zone after each step."""

from dataclasses import dataclass, field, replace
from ipaddress import ip_interface, ip_network
from typing import Any, cast

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from rackrelay import names
from rackrelay.cluster.cache import Cache
from rackrelay.cluster.client import NODE, POD, RACK, REGION, SUBNET
from rackrelay.controllers.publish.zone import choose_version, decide_names
from rackrelay.controllers.state.evidence import EvidenceBook
from rackrelay.controllers.state.queue import Key, Queue
from rackrelay.controllers.watch.judging import note_judgements
from rackrelay.model.observed import AgentStatus, Heard, NameServer, RackBeat, RackInterface
from rackrelay.model.region import RegionController
from rackrelay.zone.decision import decide
from rackrelay.zone.evidence import Tier
from rackrelay.zone.plan import Zone
from rackrelay.zone.records import Answer, Rrsets
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
    """Nothing is reconciled but when the test says so."""

    def add_later(self, key: Key, delay_s: float) -> None:
        """There is no clock."""


@dataclass
class ClockedSite(Site):
    """A Site whose time is set by the test."""

    clock: float = field(default=1000.0)

    def now(self) -> float:
        """The test's time."""
        return self.clock


def build_site() -> ClockedSite:
    """Three racks and a region replica on two provisioning networks, one of them with a smaller one inside."""
    queue = StillQueue(never)
    site = ClockedSite(SETTINGS, FakeClient(), Cache(), queue, queue, EvidenceBook(), cast(Any, None))
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


class Histories(RuleBasedStateMachine):
    """One operator. `kept` is the version that it published last, None after its ConfigMap was lost.

    `has`: rack -> the addresses that its agent named last.
    """

    def __init__(self) -> None:
        super().__init__()
        self.site = build_site()
        self.kept: Zone | None = None
        self.served = 0
        self.has: dict[str, set[Any]] = {rack: set() for rack in RACKS}
        self.track()

    @property
    def region(self) -> RegionController:
        (region,) = self.site.cache.regions(gen.NAMESPACE)
        return region

    def track(self) -> None:
        self.site.book.track(self.site.inventory.owners(), self.site.inventory.owners())

    def sighting(self, rack: str) -> Any:
        return self.site.book.find(gen.NAMESPACE, rack)

    @rule(seconds=st.sampled_from([0.05, 0.3, 1.0, 2.5, 10.0, 400.0]))
    def wait(self, seconds: float) -> None:
        self.site.clock += seconds

    @rule(rack=racks, old=st.booleans())
    def answer(self, rack: str, old: bool) -> None:
        """A probe is answered, with the serial that is served or with an old one."""
        server: NameServer = self.sighting(rack).server
        self.site.book.answered(server, max(0, self.served - old), self.site.clock)

    @rule(who=st.lists(racks, unique=True), misses=st.integers(1, 4))
    def miss(self, who: list[str], misses: int) -> None:
        """Racks, maybe most of them at once, do not answer."""
        for rack in who:
            self.sighting(rack).misses += misses
        self.site.book.note_silence(self.site.clock)

    @rule(
        rack=racks,
        hosts=st.none() | st.lists(st.tuples(st.sampled_from(HOSTS), st.booleans()), max_size=3),
        changes=st.sampled_from([{}, {"failing": {"squid": "refused"}}, {"regions_reachable": 0}]),
    )
    def report(self, rack: str, hosts: list[tuple[str, bool]] | None, changes: dict[str, Any]) -> None:
        """An agent says which addresses its node has, or that it does not know yet."""
        sighting = self.sighting(rack)
        sighting.status, sighting.status_at = self.status(rack, hosts, changes), self.site.clock
        if sighting.status.addresses is not None:
            self.has[rack] = set(sighting.status.addresses)
        decide_names(self.site, self.region)

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
        beats = {r: RackBeat(r in who, self.served if serial else None, self.sighting(r).status) for r in RACKS}
        self.site.book.answered(REPLICA, self.served, self.site.clock)
        self.site.book.hear(REPLICA, Heard(1, "e1", True, beats), self.site.clock)

    @rule(rack=racks, ready=st.booleans(), drained=st.booleans())
    def change_node(self, rack: str, ready: bool, drained: bool) -> None:
        self.site.put(NODE, node_body(rack, ready, drained))
        self.track()

    @rule()
    def lose_the_config_map(self) -> None:
        self.kept = None

    @rule()
    def look(self) -> None:
        """A round of the operator."""
        for crew in self.site.inventory.crews_of(self.region):
            note_judgements(self.site, crew)

    @invariant()
    def every_answer_is_right(self) -> None:
        decision = decide_names(self.site, self.region)
        answers = decision.answers
        # What was decided before makes it quicker and never another.
        anew = decide(decision.subnets, decision.racks, decision.faults)
        assert (answers, decision.rrsets) == (anew.answers, anew.rrsets)
        nested = [n for n in map(ip_network, CIDRS) if n.prefixlen > 24]
        for network, answer in answers.items():
            inside = [n for n in nested if n != network and n.subnet_of(cast(Any, network))]
            there = {a for own in self.has.values() for a in own if a in network and not any(a in n for n in inside)}
            # Never empty while a rack has an address there, and nothing else is ever given out.
            assert bool(answer.addresses) == bool(there)
            assert set(answer.addresses) <= there
            self.check_tiers(answer)
        self.publish(decision.rrsets)

    def check_tiers(self, answer: Answer) -> None:
        tiers = [m.judgement.tier for m in answer.members]
        given_out = {m.judgement.tier for m in answer.members if set(m.addresses) & set(answer.addresses)}
        healthy, in_use = tiers.count(Tier.HEALTHY), [t for t in tiers if t <= Tier.DEGRADED]
        expected = set(in_use) if in_use and 2 * healthy < len(in_use) else ({min(tiers)} if tiers else set())
        assert given_out == expected

    def publish(self, rrsets: Rrsets) -> None:
        """Serials only grow, whatever was lost, and one serial means one content."""
        version = choose_version(self.region, rrsets, self.kept, [self.served])
        assert version.serial >= self.served
        if self.kept is not None and version.serial == self.kept.serial:
            assert version == self.kept
        else:
            assert version.serial > self.served
        assert choose_version(self.region, rrsets, version, [version.serial]) == version
        self.kept, self.served = version, version.serial


def replace_host(text: str, own: int) -> Any:
    """The interface with another last number for each rack, so that racks share an address only now and then."""
    interface = ip_interface(text)
    shift = own if interface.ip.packed[-1] == 2 else 0
    return ip_interface(f"{interface.ip + shift}/{interface.network.prefixlen}")


TestHistories = Histories.TestCase
TestHistories.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


def test_site_of_the_histories_is_whole() -> None:
    """Otherwise the histories above would prove nothing: all racks well and there, each name has its racks."""
    machine = Histories()
    for rack in RACKS:
        machine.answer(rack, old=False)
        machine.report(rack, [("10.10.0.9/24", True)] if rack == "rack3" else [("10.10.0.2/24", True)], {})
    answers = decide_names(machine.site, machine.region).answers
    assert [str(a) for a in answers[ip_network("10.10.0.0/29")].addresses] == ["10.10.0.2", "10.10.0.3"]
    assert [str(a) for a in answers[ip_network("10.10.0.0/24")].addresses] == ["10.10.0.9"]
    lost = replace(machine.sighting("rack3").status, interfaces=())
    machine.sighting("rack3").status = lost
    assert decide_names(machine.site, machine.region).answers[ip_network("10.10.0.0/24")].addresses == ()
