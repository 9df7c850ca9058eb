"""One RackController's status: counts, who is not healthy and why, what stands in its way."""

from typing import Any

import pytest

from rackrelay import names
from rackrelay.cluster.client import CONFIG_MAP, EVENT, NODE, POD, RACK, REGION, SERVICE, SUBNET
from rackrelay.controllers.memory import RegionKeys, ZoneState
from rackrelay.controllers.rack import reconcile_rack
from rackrelay.errors import NotReady
from rackrelay.manifests.configmaps import build_zone_config
from rackrelay.manifests.services import build_region_services
from rackrelay.zone.records import answer_subnets
from tests import gen
from tests.unit.controllers.site import Site


def add_rack_controller(site: Site, **spec: Any) -> None:
    site.put(RACK, gen.body("RackController", "demo", {"pods": {"nodeSelector": gen.RACK_NODES}, **spec}))


def add_region(site: Site, name: str = "demo") -> None:
    """A region that is laid out: Services with addresses, keys, and a zone."""
    site.keys[(gen.NAMESPACE, name)] = RegionKeys(gen.KEY, b"agent key")
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
    last = len(site.cache.nodes())
    site.put(POD, {"metadata": metadata, "spec": {"nodeName": name}, "status": {"podIP": f"192.0.2.{last}", **status}})


def hear(site: Site, name: str, *addresses: str, **status: Any) -> None:
    (region,) = site.cache.regions(gen.NAMESPACE)
    site.book.track(site.inventory.servers_of(region))
    sighting = site.book.find(gen.NAMESPACE, name)
    assert sighting is not None
    site.book.answered(sighting.server, 1, site.now())
    sighting.status, sighting.status_at = gen.status(*addresses, **status), site.now()


def decide(site: Site) -> None:
    (region,) = site.cache.regions(gen.NAMESPACE)
    site.zones[region.meta.key] = ZoneState(gen.zone(1), answer_subnets(site.inventory.subnets_of(region), []), {})


async def reconcile(site: Site) -> dict[str, tuple[str, str]]:
    (rack,) = site.cache.racks(gen.NAMESPACE)
    await reconcile_rack(site, rack)
    return site.conditions("RackController", "demo")


def message(site: Site, kind: str) -> str:
    return next(str(c["message"]) for c in site.status("RackController", "demo")["conditions"] if c["type"] == kind)


async def test_without_region_it_waits(site: Site) -> None:
    add_rack_controller(site, regionRef={"name": "demo"})
    found = await reconcile(site)
    assert found == {"Ready": ("False", "RegionNotFound"), "Reconciling": ("True", "RegionNotFound")}
    assert "demo" in message(site, "Ready")


async def test_two_regions_and_no_reference_are_stalled(site: Site) -> None:
    add_rack_controller(site)
    for name in ("north", "south"):
        site.put(REGION, gen.body("RegionController", name))
    assert (await reconcile(site))["Stalled"] == ("True", "AmbiguousRegion")


async def test_region_that_is_not_laid_out_yet_is_waited_for(site: Site) -> None:
    add_rack_controller(site)
    site.put(REGION, gen.body("RegionController"))
    with pytest.raises(NotReady):
        await reconcile(site)
    assert site.conditions("RackController", "demo")["Reconciling"] == ("True", "WaitingForRegion")


async def test_healthy_racks(site: Site) -> None:
    add_region(site)
    add_rack_controller(site)
    site.put(SUBNET, gen.body("Subnet", "prov", {"cidr": "10.10.0.0/24"}))
    await reconcile(site)
    for i, name in enumerate(("rack1", "rack2"), start=2):
        add_node(site, name)
        hear(site, name, f"10.10.0.{i}/24")
    decide(site)
    found = await reconcile(site)
    assert found["Ready"] == ("True", "Applied")
    assert found["RacksHealthy"] == ("True", "AllHealthy")
    status = site.status("RackController", "demo")
    assert status["racks"] == {"desired": 2, "healthy": 2, "degraded": 0, "drained": 0, "unreachable": 0}
    assert status["notHealthy"] == []
    assert {"apply ConfigMap demo-rack", "apply DaemonSet demo-rack"} <= set(site.client.writes)


async def test_sick_racks_are_listed_with_reason(site: Site) -> None:
    add_region(site)
    add_rack_controller(site, drainedNodes=["rack3"])
    site.put(SUBNET, gen.body("Subnet", "prov", {"cidr": "10.10.0.0/24"}))
    for name in ("rack1", "rack2", "rack3"):
        add_node(site, name)
    for name in ("rack2", "rack3"):
        hear(site, name, "10.10.0.2/24", failing={"squid": "no answer"})
    decide(site)
    assert (await reconcile(site))["RacksHealthy"] == ("False", "Degraded")
    status = site.status("RackController", "demo")
    listed = [(e["node"], e["tier"], e["reason"]) for e in status["notHealthy"]]
    assert listed == [
        ("rack1", "Unreachable", "NoAnswer"),
        ("rack2", "Degraded", "DaemonFailing"),
        ("rack3", "Drained", "Drained"),
    ]
    assert status["racks"]["desired"] == 3


async def test_rack_without_an_address_on_any_subnet_is_told(site: Site) -> None:
    add_region(site)
    add_rack_controller(site)
    site.put(SUBNET, gen.body("Subnet", "prov", {"cidr": "10.10.0.0/24"}))
    add_node(site, "rack1")
    hear(site, "rack1", "192.0.2.7/24")
    decide(site)
    await reconcile(site)
    (entry,) = site.status("RackController", "demo")["notHealthy"]
    assert (entry["reason"], entry["tier"]) == ("NoSubnet", "Healthy")
    assert "192.0.2.7" in entry["message"]


async def test_rack_whose_only_address_is_in_a_relayed_subnet_is_told(site: Site) -> None:
    add_region(site)
    add_rack_controller(site)
    add_node(site, "rack1")
    site.put(SUBNET, gen.body("Subnet", "vlan", {"cidr": "10.30.0.0/24", "servedBy": "prov"}))
    hear(site, "rack1", "10.30.0.7/24")
    decide(site)
    await reconcile(site)
    (entry,) = site.status("RackController", "demo")["notHealthy"]
    assert entry["reason"] == "NoSubnet"


async def test_no_node_matches(site: Site) -> None:
    add_region(site)
    add_rack_controller(site)
    decide(site)
    assert (await reconcile(site))["RacksHealthy"] == ("False", "NoRacks")


async def test_node_without_pod_is_waited_for(site: Site) -> None:
    add_region(site)
    add_rack_controller(site)
    add_node(site, "rack1", pod=False)
    found = await reconcile(site)
    assert found["Reconciling"] == ("True", "Starting")
    assert "rack1" in message(site, "Ready")


async def test_refused_pods_are_told_in_the_api_servers_words(site: Site) -> None:
    add_region(site)
    add_rack_controller(site)
    add_node(site, "rack1", pod=False)
    words = 'pods "demo-rack-x" is forbidden: violates PodSecurity "baseline:latest": host namespaces'
    metadata = {"namespace": gen.NAMESPACE, "name": "refused"}
    site.client.put(EVENT, {"metadata": metadata, "message": words, "lastTimestamp": "2026-01-01T00:00:00Z"})
    assert (await reconcile(site))["Ready"] == ("False", "PodsRefused")
    assert "violates PodSecurity" in message(site, "Ready")
    assert "pod-security.kubernetes.io/enforce=privileged" in message(site, "Ready")


UP = {"conditions": [{"type": "Ready", "status": "True"}]}


def stuck(reason: str) -> dict[str, Any]:
    """The status of a pod one of whose containers waits."""
    return {"containerStatuses": [{"name": "named", "image": "x:1", "state": {"waiting": {"reason": reason}}}]}


async def test_pod_that_cannot_start_is_told(site: Site) -> None:
    add_region(site)
    add_rack_controller(site)
    await reconcile(site)
    add_node(site, "rack1", **stuck("ImagePullBackOff"))
    decide(site)
    assert (await reconcile(site))["Ready"] == ("False", "PodsNotReady")
    assert "image x:1 cannot be pulled" in message(site, "Ready")


@pytest.mark.parametrize("reason", ["ErrImagePull", "InvalidImageName", "CreateContainerConfigError"])
async def test_what_the_spec_is_at_fault_for_counts_whoever_else_is_well(site: Site, reason: str) -> None:
    add_region(site)
    add_rack_controller(site)
    await reconcile(site)
    add_node(site, "rack1", **stuck(reason))
    add_node(site, "rack2", **UP)
    decide(site)
    assert (await reconcile(site))["Ready"] == ("False", "PodsNotReady")


async def test_one_rack_whose_daemon_crashes_holds_up_no_rollout_of_others(site: Site) -> None:
    add_region(site)
    add_rack_controller(site)
    await reconcile(site)
    add_node(site, "rack1", **stuck("CrashLoopBackOff"))
    add_node(site, "rack2", **UP)
    decide(site)
    found = await reconcile(site)
    assert (found["Ready"], found["RacksHealthy"]) == (("True", "Applied"), ("False", "Degraded"))


async def test_daemon_that_crashes_on_every_rack_is_the_specs_fault(site: Site) -> None:
    add_region(site)
    add_rack_controller(site)
    await reconcile(site)
    for name in ("rack1", "rack2"):
        add_node(site, name, **stuck("CrashLoopBackOff"))
    decide(site)
    assert (await reconcile(site))["Ready"] == ("False", "PodsNotReady")
    assert "rack2: container named does not start" in message(site, "Ready")


async def test_daemon_that_crashes_on_the_first_rack_of_a_rollout_is_the_specs_fault(site: Site) -> None:
    add_region(site)
    add_rack_controller(site)
    await reconcile(site)
    add_node(site, "rack2", **UP)
    add_rack_controller(site, pods={"nodeSelector": gen.RACK_NODES, "image": "y:2"})
    await reconcile(site)
    add_node(site, "rack1", **stuck("CrashLoopBackOff"))
    decide(site)
    assert (await reconcile(site))["Ready"] == ("False", "PodsNotReady")


async def test_pods_of_a_template_that_was_corrected_do_not_count(site: Site) -> None:
    add_region(site)
    add_rack_controller(site)
    await reconcile(site)
    add_node(site, "rack1", **stuck("ErrImagePull"))
    decide(site)
    add_rack_controller(site, pods={"nodeSelector": gen.RACK_NODES, "image": "y:2"})
    assert (await reconcile(site))["Ready"] == ("False", "Updating")


async def test_what_a_dead_node_had_does_not_count(site: Site) -> None:
    add_region(site)
    add_rack_controller(site)
    await reconcile(site)
    add_node(site, "rack1", **stuck("ErrImagePull"))
    lost = {"conditions": [{"type": "Ready", "status": "Unknown"}]}
    site.put(NODE, {"metadata": {"name": "rack1", "labels": gen.RACK_NODES}, "status": lost})
    decide(site)
    assert (await reconcile(site))["Ready"] == ("True", "Applied")


async def test_pod_that_cannot_start_is_told_rather_than_that_racks_are_replaced(site: Site) -> None:
    add_region(site)
    add_rack_controller(site)
    await reconcile(site)
    add_node(site, "rack2")
    add_rack_controller(site, pods={"nodeSelector": gen.RACK_NODES, "image": "y:2"})
    await reconcile(site)
    add_node(site, "rack1", **stuck("ImagePullBackOff"))
    decide(site)
    assert (await reconcile(site))["Ready"] == ("False", "PodsNotReady")


async def test_rack_that_holds_up_the_others_is_named(site: Site) -> None:
    add_region(site)
    add_rack_controller(site)
    site.put(SUBNET, gen.body("Subnet", "prov", {"cidr": "10.10.0.0/24"}))
    await reconcile(site)
    for i, name in enumerate(("rack1", "rack2"), start=2):
        add_node(site, name)
        hear(site, name, f"10.10.0.{i}/24")
    decide(site)
    add_rack_controller(site, pods={"nodeSelector": gen.RACK_NODES, "image": "y:2"})
    assert (await reconcile(site))["Ready"] == ("False", "Updating")
    assert "0 of 2" in message(site, "Ready")
    assert "rack1" in message(site, "Ready")
    assert "rack2" not in message(site, "Ready")


async def test_health_is_not_guessed_before_the_zone_was_decided(site: Site) -> None:
    """A restarted operator keeps what its predecessor wrote until it has looked for itself."""
    add_region(site)
    body = gen.body("RackController", "demo", {"pods": {"nodeSelector": gen.RACK_NODES}})
    healthy = {
        "type": "RacksHealthy",
        "status": "True",
        "reason": "AllHealthy",
        "message": "1 racks are healthy",
        "observedGeneration": 1,
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }
    counts = {"desired": 1, "healthy": 1, "degraded": 0, "drained": 0, "unreachable": 0}
    status = {"observedGeneration": 1, "racks": counts, "notHealthy": [], "conditions": [healthy]}
    site.put(RACK, {**body, "status": status})
    add_node(site, "rack1")
    await reconcile(site)
    resource = site.cache.resource(RACK, (gen.NAMESPACE, "demo"))
    assert resource is not None
    assert resource.status == status


async def test_second_look_writes_nothing(site: Site) -> None:
    add_region(site)
    add_rack_controller(site)
    await reconcile(site)
    add_node(site, "rack1")
    hear(site, "rack1", "10.10.0.2/24")
    decide(site)
    await reconcile(site)
    site.client.writes = [w for w in site.client.writes if not w.startswith("annotate")]
    before = list(site.client.writes)
    await reconcile(site)
    assert [w for w in site.client.writes if not w.startswith("annotate")] == before


async def test_pod_is_touched_when_the_configuration_changed(site: Site) -> None:
    add_region(site)
    add_rack_controller(site)
    add_node(site, "rack1")
    await reconcile(site)
    assert "annotate Pod demo-rack-rack1" in site.client.writes


async def test_pod_is_touched_when_another_key_signs(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    add_region(site)
    add_rack_controller(site)
    add_node(site, "rack1")
    marks: list[str] = []

    async def annotate(*arguments: Any) -> None:
        marks.append(arguments[-1][names.ANNOTATION_CONFIG])

    monkeypatch.setattr(site.client, "annotate", annotate)
    for signing in (1, 1, 2):
        site.keys[(gen.NAMESPACE, "demo")] = RegionKeys(gen.KEY, b"agent key", (1, 2), signing)
        await reconcile(site)
    assert marks[0] == marks[1] != marks[2]
