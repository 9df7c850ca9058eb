"""Which racks may be replaced now, and who is waited for."""

from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from rackrelay import names
from rackrelay.cluster.client import DAEMON_SET, NODE, POD, RACK, REGION, SUBNET
from rackrelay.controllers.publish.zone import decide_names
from rackrelay.controllers.resources.rollout import Candidate, Progress, choose_next, replace_outdated
from rackrelay.controllers.state.region_state import ZoneState
from rackrelay.protocol.status_document import PeerObservation
from rackrelay.zone.evidence import Tier
from tests import gen
from tests.unit.controllers.site import Site

A, B = ip_network("10.10.0.0/24"), ip_network("10.20.0.0/24")
H, D, DRAINED, LEAVING, U = Tier
OLD, NEW = "old", "new"


def rack(node: str, *networks: object, tier: Tier = H, new: bool = False, **more: bool) -> Candidate:
    return Candidate(node, dict.fromkeys(networks, tier), not new, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("racks", "chosen"),
    [
        pytest.param([rack("r1", A), rack("r2", A)], {"r1": "", "r2": "r1"}, id="one of a subnet"),
        pytest.param([rack("r1", A), rack("r2", B)], {"r1": "", "r2": ""}, id="subnets go side by side"),
        pytest.param(
            [rack("r1", A, B), rack("r2", A), rack("r3", B)],
            {"r1": "", "r2": "r1", "r3": "r1"},
            id="a rack of two subnets takes both",
        ),
        pytest.param([rack("r1", A, new=True, tier=D), rack("r2", A)], {"r2": "r1"}, id="not while one is in trouble"),
        pytest.param([rack("r1", A, new=True, tier=D), rack("r2", B)], {"r2": ""}, id="others go on"),
        pytest.param([rack("r1", A, new=True), rack("r2", A)], {"r2": ""}, id="the rest of a rollout"),
        pytest.param([rack("r1"), rack("r2")], {"r1": "", "r2": ""}, id="racks that no machine uses"),
        pytest.param([rack("r1", A, new=True)], {}, id="nothing to do"),
        pytest.param([rack("r1", A), rack("r2", A, tier=U)], {"r2": "", "r1": "r2"}, id="unreachable before healthy"),
        pytest.param([rack("r1", A), rack("r2", A, tier=D)], {"r2": "", "r1": "r2"}, id="degraded before healthy"),
        pytest.param([rack("r1", A, tier=D), rack("r2", A)], {"r1": "", "r2": "r1"}, id="a healthy one stays"),
        pytest.param(
            [rack("r1", A), rack("r2", A, tier=DRAINED, new=True)], {"r1": "r2"}, id="a drained one is no substitute"
        ),
        pytest.param([rack("r1", A, tier=DRAINED), rack("r2", A, new=True)], {"r1": ""}, id="a drained one goes"),
        pytest.param(
            [rack("r1", A, tier=DRAINED), rack("r2", A, tier=DRAINED)],
            {"r1": "", "r2": "r1"},
            id="one after the other when all are drained",
        ),
        pytest.param([rack("r1", A)], {"r1": ""}, id="the only rack of a subnet"),
        pytest.param([rack("r1", A), rack("r2", A, tier=U, up=False)], {"r1": ""}, id="the only rack whose node is up"),
        pytest.param(
            [rack("r1", A), rack("r2", A, tier=U, new=True, up=False)], {"r1": ""}, id="a dead node holds up nobody"
        ),
        pytest.param(
            [rack("r1", A), rack("r2", A, new=True, changing=True)], {"r1": "r2"}, id="its pod is still starting"
        ),
        pytest.param([rack("r1", A), rack("r2", A, changing=True)], {"r1": "r2"}, id="its pod is just deleted"),
        pytest.param(
            [rack("r1", A), Candidate("r2", {A: D, B: H}, True)], {"r2": "", "r1": "r2"}, id="the worst network counts"
        ),
        pytest.param(
            [Candidate("r1", {A: H, B: H}, True), Candidate("r2", {A: H}), Candidate("r3", {B: D})],
            {"r1": "r3"},
            id="who is in trouble on one of its subnets holds it up",
        ),
    ],
)
def test_choose_next(racks: list[Candidate], chosen: dict[str, str]) -> None:
    assert choose_next(racks) == {node: set(others.split()) for node, others in chosen.items()}


@pytest.fixture
def laid_out(site: Site) -> Site:
    """A region with one subnet."""
    site.put(REGION, gen.body("RegionController"))
    site.put(SUBNET, gen.body("Subnet", "prov", {"cidr": str(A)}))
    return site


def add_controller(site: Site, name: str) -> None:
    selector = {"example.com/racks": name}
    site.put(RACK, gen.body("RackController", name, {"pods": {"nodeSelector": selector}}))
    template = {"metadata": {"annotations": {names.ANNOTATION_TEMPLATE: NEW}}}
    metadata = {"namespace": gen.NAMESPACE, "name": names.rack_workload(name)}
    site.put(DAEMON_SET, {"metadata": metadata, "spec": {"template": template}})


def add_rack(site: Site, number: int, controller: str, template: str = OLD, **ready: str) -> None:
    """A rack of which nothing has been heard."""
    name = f"r{number}"
    conditions = [{"type": "Ready", "status": ready.get("ready", "True")}]
    labels = {"example.com/racks": controller}
    site.put(NODE, {"metadata": {"name": name, "labels": labels}, "status": {"conditions": conditions}})
    labels = {names.LABEL_COMPONENT: names.COMPONENT_RACK, names.LABEL_RACK_CONTROLLER: controller}
    about = {"namespace": gen.NAMESPACE, "name": f"pod-{name}-{template}", "uid": f"{name}-{template}"}
    metadata = {**about, "labels": labels, "annotations": {names.ANNOTATION_TEMPLATE: template}}
    site.put(POD, {"metadata": metadata, "spec": {"nodeName": name}, "status": {"podIP": f"192.0.2.{number}"}})


def hear(site: Site, *numbers: int, **status: Any) -> None:
    """These racks are well and have an address in the subnet; the zone is decided anew."""
    (region,) = site.inventory.regions(gen.NAMESPACE)
    site.track()
    for number in numbers:
        site.see(f"r{number}", f"10.10.0.{number}/24", **status)
    site.regions[region.meta.key].zone = ZoneState(gen.zone(1), decide_names(site, region).answers, {})


async def replace(site: Site, controller: str) -> Progress:
    (region,) = site.inventory.regions(gen.NAMESPACE)
    rack = next(r for r in site.inventory.racks(gen.NAMESPACE) if r.meta.name == controller)
    return await replace_outdated(site, region, rack, NEW)


def deleted(site: Site) -> list[str]:
    return [w.split()[-1] for w in site.client.writes if w.startswith("delete Pod")]


async def test_two_controllers_of_a_subnet_take_turns(laid_out: Site) -> None:
    """Each has its own template; neither waits for the watch to bring what the other has deleted."""
    for number, controller in ((1, "one"), (2, "two")):
        add_controller(laid_out, controller)
        add_rack(laid_out, number, controller)
    hear(laid_out, 1, 2)
    assert await replace(laid_out, "one") == Progress(0, 1)
    hear(laid_out, 2, failing={"squid": "no answer"})
    assert await replace(laid_out, "two") == Progress(0, 1, ("r1 (being replaced)",))
    assert deleted(laid_out) == ["pod-r1-old"]


async def test_unreachable_rack_goes_first_and_is_named(laid_out: Site) -> None:
    add_controller(laid_out, "one")
    for number in (1, 2):
        add_rack(laid_out, number, "one")
    hear(laid_out, 2)
    laid_out.health.remember(gen.NAMESPACE, "r1", [ip_address("10.10.0.1")])
    hear(laid_out, 2)
    assert await replace(laid_out, "one") == Progress(0, 2, ("r1 (NoAnswer)",))
    assert deleted(laid_out) == ["pod-r1-old"]


async def test_successor_whose_addresses_are_not_known_is_waited_for(laid_out: Site) -> None:
    add_controller(laid_out, "one")
    for number in (1, 2):
        add_rack(laid_out, number, "one")
    hear(laid_out, 1, 2)
    await replace(laid_out, "one")
    laid_out.cache.remove(POD, (gen.NAMESPACE, "pod-r1-old"))
    add_rack(laid_out, 1, "one", NEW)
    hear(laid_out, 1, 2)
    laid_out.see("r1")
    hear(laid_out, 2)
    await replace(laid_out, "one")
    assert deleted(laid_out) == ["pod-r1-old"]
    hear(laid_out, 1, 2)
    await replace(laid_out, "one")
    assert deleted(laid_out) == ["pod-r1-old", "pod-r2-old"]


async def test_successor_that_its_peers_do_not_hear_on_the_subnet_is_waited_for(laid_out: Site) -> None:
    add_controller(laid_out, "one")
    add_rack(laid_out, 1, "one", NEW)
    for number in (2, 3, 4):
        add_rack(laid_out, number, "one")
    addresses = {n: ip_address(f"10.10.0.{n}") for n in (1, 2, 3, 4)}
    hear(laid_out, 1)
    hear(laid_out, 2, 3, 4, peers=tuple(PeerObservation(A, address, n != 1) for n, address in addresses.items()))
    (region,) = laid_out.inventory.regions(gen.NAMESPACE)
    laid_out.health.judge(region.meta.key, laid_out.inventory.rack_groups_of(region), laid_out.now())
    hear(laid_out)
    assert await replace(laid_out, "one") == Progress(1, 4, ("r1 (NotHeardByPeers)",))
    assert deleted(laid_out) == []


async def test_racks_on_nodes_that_are_down_are_not_counted(laid_out: Site) -> None:
    add_controller(laid_out, "one")
    add_rack(laid_out, 1, "one", NEW)
    add_rack(laid_out, 2, "one", OLD, ready="Unknown")
    hear(laid_out, 1)
    assert await replace(laid_out, "one") == Progress(1, 1)
    assert deleted(laid_out) == []
