"""Racks that nobody asks for any more count until their pod is gone."""

import pytest

from rackrelay import names
from rackrelay.addresses import Network
from rackrelay.cluster.client import NODE, POD, RACK, REGION, SUBNET
from rackrelay.controllers.publish.zone import decide_names
from rackrelay.controllers.resources.region import networks_of_racks
from rackrelay.controllers.state.leaving import find_leaving
from rackrelay.model.region import RegionController
from rackrelay.zone.evidence import Tier
from rackrelay.zone.rule import Answer
from tests import gen
from tests.unit.controllers.site import Site


def test_pods_are_leaving_when_nobody_asks_for_them() -> None:
    here, there = gen.node("rack1"), gen.node("rack2", labels={})
    pods = [
        gen.pod("stays", region="demo", node="rack1"),
        gen.pod("unselected", region="demo", node="rack2"),
        gen.pod("ownerless", region="demo", node="rack1", owner="gone"),
        gen.pod("of-another-region", region="other", node="rack2"),
        gen.pod("without-node", region="demo", node=""),
        gen.pod("of-the-region-itself", region="demo", node="rack2", component=names.COMPONENT_REGION),
    ]
    found = find_leaving(gen.region(), pods, [gen.rack()], [here, there])
    assert [(node.name, pod.name, pod.deleting) for node, pod in found] == [
        ("rack2", "unselected", True),
        ("rack1", "ownerless", True),
    ]
    going = gen.rack(meta=gen.meta("demo", deleting=True))
    assert "stays" in [pod.name for _, pod in find_leaving(gen.region(), pods, [going], [here, there])]


@pytest.fixture
def laid_out(site: Site) -> Site:
    """One rack of each of two RackControllers, both healthy on one subnet."""
    site.put(REGION, gen.body("RegionController"))
    site.put(SUBNET, gen.body("Subnet", "prov", {"cidr": "10.10.0.0/24"}))
    for number, controller in ((1, "one"), (2, "two")):
        add_controller(site, controller)
        node, labels = f"rack{number}", {"example.com/racks": controller}
        addresses = [{"type": "InternalIP", "address": f"192.0.2.{number}"}]
        site.put(NODE, {"metadata": {"name": node, "labels": labels}, "status": {"addresses": addresses}})
        add_pod(site, number, controller)
    return site


def add_controller(site: Site, name: str) -> None:
    spec = {"pods": {"nodeSelector": {"example.com/racks": name}}, "addresses": {"exclude": ["10.10.0.128/25"]}}
    site.put(RACK, gen.body("RackController", name, spec))


def add_pod(site: Site, number: int, controller: str) -> None:
    labels = {
        names.LABEL_COMPONENT: names.COMPONENT_RACK,
        names.LABEL_RACK_CONTROLLER: controller,
        names.LABEL_REGION: "demo",
    }
    metadata = {"namespace": gen.NAMESPACE, "name": f"{controller}-{number}", "uid": controller, "labels": labels}
    site.put(POD, {"metadata": metadata, "spec": {"nodeName": f"rack{number}"}, "status": {"podIP": "192.0.2.1"}})


def region(site: Site) -> RegionController:
    return site.inventory.regions(gen.NAMESPACE)[0]


def answer(site: Site, *numbers: int) -> Answer:
    """What the subnet's name answers once these racks have been heard."""
    site.track()
    for number in numbers:
        site.see(f"rack{number}", f"10.10.0.{number}/24", f"10.10.0.{number + 128}/24")
    (found,) = decide_names(site, region(site)).answers.values()
    return found


def addresses(found: Answer) -> list[str]:
    return [str(address) for address in found.addresses]


def tiers(found: Answer) -> dict[str, Tier]:
    return {member.name: member.judgement.tier for member in found.members}


def gate(site: Site) -> list[Network]:
    return list(networks_of_racks(site, region(site)))


def test_racks_of_a_deleted_controller_serve_until_their_pods_are_gone(laid_out: Site) -> None:
    assert addresses(answer(laid_out, 1, 2)) == ["10.10.0.1", "10.10.0.2"]
    allowed = gate(laid_out)
    laid_out.cache.remove(RACK, (gen.NAMESPACE, "one"))
    found = answer(laid_out, 1, 2)
    assert addresses(found) == ["10.10.0.2"]
    assert tiers(found) == {"rack1": Tier.LEAVING, "rack2": Tier.HEALTHY}
    assert {server.name for server in laid_out.inventory.servers_of(region(laid_out))} == {"rack1", "rack2"}
    assert gate(laid_out) == allowed
    laid_out.cache.remove(POD, (gen.NAMESPACE, "one-1"))
    assert tiers(answer(laid_out, 2)) == {"rack2": Tier.HEALTHY}
    assert gate(laid_out) != allowed


def test_last_racks_of_a_deleted_controller_stay_in_the_name_by_the_addresses_that_counted(laid_out: Site) -> None:
    answer(laid_out, 1, 2)
    for controller in ("one", "two"):
        laid_out.cache.remove(RACK, (gen.NAMESPACE, controller))
    assert addresses(answer(laid_out, 1, 2)) == ["10.10.0.1", "10.10.0.2"]


def test_deleted_controller_is_forgotten_with_its_last_pod(laid_out: Site) -> None:
    def known() -> set[str]:
        laid_out.inventory.rack_groups_of(region(laid_out))
        return {name for _, name in laid_out.inventory.former_racks}

    assert known() == {"one", "two"}
    laid_out.cache.remove(RACK, (gen.NAMESPACE, "one"))
    assert known() == {"one", "two"}
    laid_out.cache.remove(POD, (gen.NAMESPACE, "one-1"))
    assert known() == {"two"}


def test_rack_on_a_node_without_the_label_leaves(laid_out: Site) -> None:
    answer(laid_out, 1, 2)
    laid_out.put(NODE, {"metadata": {"name": "rack1"}})
    assert tiers(answer(laid_out, 1, 2)) == {"rack1": Tier.LEAVING, "rack2": Tier.HEALTHY}


def test_node_that_another_controller_takes_over_counts_once(laid_out: Site) -> None:
    """The pod of its new owner has no room before the old one is gone."""
    answer(laid_out, 1, 2)
    laid_out.put(NODE, {"metadata": {"name": "rack1", "labels": {"example.com/racks": "two"}}})
    found = answer(laid_out, 1, 2)
    assert [(m.name, m.judgement.reason) for m in found.members] == [("rack1", "PodStopping"), ("rack2", "")]
    laid_out.cache.remove(POD, (gen.NAMESPACE, "one-1"))
    add_pod(laid_out, 1, "two")
    assert tiers(answer(laid_out, 1, 2)) == {"rack1": Tier.HEALTHY, "rack2": Tier.HEALTHY}


async def test_judgement_of_a_leaving_rack_is_noted(laid_out: Site) -> None:
    answer(laid_out, 1, 2)
    laid_out.cache.remove(RACK, (gen.NAMESPACE, "one"))
    key, groups = region(laid_out).meta.key, laid_out.inventory.rack_groups_of(region(laid_out))
    assert laid_out.health.judge(key, groups, laid_out.now()).racks
    noted = {name: laid_out.sighting(name).judgement for name in ("rack1", "rack2")}
    assert {name: judgement and judgement.tier for name, judgement in noted.items()} == {
        "rack1": Tier.LEAVING,
        "rack2": Tier.HEALTHY,
    }
