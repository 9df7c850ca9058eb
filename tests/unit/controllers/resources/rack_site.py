"""A RackController in a region that is laid out, with nodes, pods and what was heard of them."""

from typing import Any

from rackrelay import names
from rackrelay.cluster.client import CONFIG_MAP, NODE, POD, RACK, REGION, SERVICE, SUBNET
from rackrelay.controllers.resources.rack import reconcile_rack
from rackrelay.controllers.state.region_state import RegionKeys, ZoneState
from rackrelay.manifests.configmaps import build_zone_config
from rackrelay.manifests.services import build_region_services
from rackrelay.zone.decision import answer_subnets
from tests import gen
from tests.unit.controllers.site import Site


def add_rack_controller(site: Site, **spec: Any) -> None:
    site.put(RACK, gen.body("RackController", "demo", {"pods": {"nodeSelector": gen.RACK_NODES}, **spec}))


def add_region(site: Site, name: str = "demo") -> None:
    """A region that is laid out: Services with addresses, keys, and a zone."""
    site.regions[(gen.NAMESPACE, name)].keys = RegionKeys(gen.KEY, b"agent key")
    site.put(REGION, gen.body("RegionController", name, {"replicas": 2}))
    for i, service in enumerate(build_region_services(gen.region(name))):
        service["spec"]["clusterIP"] = f"10.96.0.{i + 10}"
        site.put(SERVICE, service)
    site.put(CONFIG_MAP, build_zone_config(gen.NAMESPACE, name, gen.zone(1), None))


def add_node(site: Site, name: str, pod: bool = True, **status: Any) -> None:
    """A node with its rack pod, of which nothing has been heard; the pod runs the DaemonSet's template."""
    site.put(NODE, {"metadata": {"name": name, "labels": gen.RACK_NODES}})
    if not pod:
        return
    labels = {names.LABEL_COMPONENT: names.COMPONENT_RACK, names.LABEL_RACK_CONTROLLER: "demo"}
    metadata = {"namespace": gen.NAMESPACE, "name": f"demo-rack-{name}", "uid": name, "labels": labels}
    workload = site.client.objects.get(("DaemonSet", gen.NAMESPACE, "demo-rack"))
    metadata["annotations"] = workload["spec"]["template"]["metadata"]["annotations"] if workload else {}
    last = len(site.inventory.nodes())
    site.put(POD, {"metadata": metadata, "spec": {"nodeName": name}, "status": {"podIP": f"192.0.2.{last}", **status}})


def hear(site: Site, name: str, *addresses: str, **status: Any) -> None:
    site.see(name, *addresses, **status)


def decide(site: Site) -> None:
    (region,) = site.inventory.regions(gen.NAMESPACE)
    site.regions[region.meta.key].zone = ZoneState(
        gen.zone(1), answer_subnets(site.inventory.subnets_of(region), []), {}
    )


async def reconcile(site: Site) -> dict[str, tuple[str, str]]:
    (rack,) = site.inventory.racks(gen.NAMESPACE)
    await reconcile_rack(site, rack)
    return site.conditions("RackController", "demo")


async def add_two_healthy(site: Site) -> None:
    """Two racks of one subnet, both well, in a zone that has been decided."""
    add_region(site)
    add_rack_controller(site)
    site.put(SUBNET, gen.body("Subnet", "prov", {"cidr": "10.10.0.0/24"}))
    await reconcile(site)
    for i, name in enumerate(("rack1", "rack2"), start=2):
        add_node(site, name)
        hear(site, name, f"10.10.0.{i}/24")
    decide(site)


def message(site: Site, kind: str) -> str:
    return next(str(c["message"]) for c in site.status("RackController", "demo")["conditions"] if c["type"] == kind)
