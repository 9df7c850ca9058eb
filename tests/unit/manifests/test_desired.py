"""What a region and its racks should consist of."""

from ipaddress import ip_network

from rackrelay.manifests.containers import Image
from rackrelay.manifests.desired import desire_rack, desire_region, find_endpoints, rack_networks
from rackrelay.model.detection import FailureDetection
from rackrelay.model.pods import PodSettings
from rackrelay.model.region import RegionEndpoint
from rackrelay.protocol.digest import config_digest
from rackrelay.render.inputs import RackInputs, RegionInputs
from tests import gen

IMAGE = Image("rackrelay/dataplane:1", "IfNotPresent")
ENDPOINTS = (RegionEndpoint(0, "demo-region-0", "10.96.0.10"), RegionEndpoint(1, "demo-region-1", "10.96.0.11"))
SUBNETS = (gen.subnet("10.10.0.0/24"),)


def kinds(objects: tuple[gen.Manifest, ...]) -> list[str]:
    return [f"{o['kind']} {o['metadata']['name']}" for o in objects]


def service(name: str, address: str | None) -> gen.Manifest:
    return {"metadata": {"name": name}, "spec": {} if address is None else {"clusterIP": address}}


def test_region() -> None:
    desired = desire_region(RegionInputs(gen.region(), SUBNETS, (ip_network("192.0.2.1"),)), IMAGE)
    assert kinds(desired.objects) == [
        "Service demo-region-0",
        "Service demo-region-1",
        "ConfigMap demo-region",
        "StatefulSet demo-region",
    ]
    assert desired.config_hash == config_digest(desired.objects[2]["data"])


def test_racks() -> None:
    desired = desire_rack(gen.rack(), RackInputs(gen.region(), SUBNETS, ENDPOINTS), IMAGE)
    assert kinds(desired.objects) == ["ConfigMap demo-rack", "DaemonSet demo-rack"]
    assert desired.config_hash == config_digest(desired.objects[0]["data"])


def test_same_inputs_give_the_same_objects() -> None:
    inputs = RackInputs(gen.region(), SUBNETS, ENDPOINTS)
    assert desire_rack(gen.rack(), inputs, IMAGE) == desire_rack(gen.rack(), inputs, IMAGE)


def test_another_subnet_changes_configuration_but_not_the_pod_template() -> None:
    """Otherwise a new Subnet would restart racks."""
    more = (*SUBNETS, gen.subnet("10.20.0.0/24", allow_dns=False, allow_proxy=False))
    before = desire_rack(gen.rack(), RackInputs(gen.region(), SUBNETS, ENDPOINTS), IMAGE)
    after = desire_rack(gen.rack(), RackInputs(gen.region(), more, ENDPOINTS), IMAGE)
    assert after.config_hash != before.config_hash
    assert after.objects[1] == before.objects[1]


def test_another_pace_changes_configuration_but_no_pod_template() -> None:
    patient = gen.region(detection=FailureDetection(interval_s=1.0, misses=5))
    racks = [desire_rack(gen.rack(), RackInputs(r, SUBNETS, ENDPOINTS), IMAGE) for r in (gen.region(), patient)]
    regions = [desire_region(RegionInputs(r, SUBNETS), IMAGE) for r in (gen.region(), patient)]
    for before, after in (racks, regions):
        assert after.config_hash != before.config_hash
        assert after.objects[-1] == before.objects[-1]


def test_another_replica_changes_configuration_but_not_the_racks_template() -> None:
    before = desire_rack(gen.rack(), RackInputs(gen.region(), SUBNETS, ENDPOINTS), IMAGE)
    after = desire_rack(gen.rack(), RackInputs(gen.region(), SUBNETS, ENDPOINTS[:1]), IMAGE)
    assert after.config_hash != before.config_hash
    assert after.objects[1] == before.objects[1]


def test_new_rack_changes_the_regions_configuration_but_not_its_template() -> None:
    before = desire_region(RegionInputs(gen.region(), SUBNETS, (ip_network("192.0.2.1"),)), IMAGE)
    after = desire_region(
        RegionInputs(gen.region(), SUBNETS, (ip_network("192.0.2.1"), ip_network("192.0.2.2"))), IMAGE
    )
    assert after.config_hash != before.config_hash
    assert after.objects[-1] == before.objects[-1]


def test_endpoints_are_the_services_that_have_an_address() -> None:
    services = [service("demo-region-1", "10.96.0.11"), service("demo-region-0", "10.96.0.10")]
    assert find_endpoints(gen.region(), services) == ENDPOINTS
    for missing in (None, "", "None"):
        found = find_endpoints(gen.region(), [services[1], service("demo-region-1", missing)])
        assert found == ENDPOINTS[:1]
    assert find_endpoints(gen.region(replicas=1), services) == ENDPOINTS[:1]


def test_networks_of_racks_are_those_of_selected_nodes() -> None:
    nodes = [
        gen.node("rack1", addresses=("192.0.2.1", "fd00::1"), pod_cidrs=("10.244.1.0/24",)),
        gen.node("other", labels={}, addresses=("192.0.2.9",)),
    ]
    found = rack_networks([gen.rack()], nodes)
    assert found == tuple(map(ip_network, ("10.244.1.0/24", "192.0.2.1", "fd00::1")))
    assert rack_networks([], nodes) == ()


def test_pods_settings_reach_the_template() -> None:
    pods = PodSettings(
        image="mine:2",
        labels={"team": "metal"},
        annotations={"a": "b"},
        node_selector={"x": "y"},
        priority_class_name="p",
    )
    desired = desire_rack(gen.rack(pods=pods), RackInputs(gen.region(), SUBNETS, ENDPOINTS), IMAGE)
    template = desired.objects[1]["spec"]["template"]
    assert {c["image"] for c in template["spec"]["containers"]} == {"mine:2"}
    assert template["metadata"]["labels"]["team"] == "metal"
    assert template["metadata"]["annotations"]["a"] == "b"
    assert (template["spec"]["nodeSelector"], template["spec"]["priorityClassName"]) == ({"x": "y"}, "p")
