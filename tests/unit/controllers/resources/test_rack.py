"""One RackController's status: counts, who is not healthy and why, what stands in its way."""

from typing import Any

import pytest

from rackrelay import names
from rackrelay.cluster.client import RACK, REGION, SUBNET
from rackrelay.controllers.state.region_state import RegionKeys
from rackrelay.errors import NotReady
from tests import gen
from tests.unit.controllers.resources.rack_site import (
    add_node,
    add_rack_controller,
    add_region,
    add_two_healthy,
    decide,
    hear,
    message,
    reconcile,
)
from tests.unit.controllers.site import Site


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
    await add_two_healthy(site)
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
        site.regions[(gen.NAMESPACE, "demo")].keys = RegionKeys(gen.KEY, b"agent key", (1, 2), signing)
        await reconcile(site)
    assert marks[0] == marks[1] != marks[2]


async def test_configuration_of_before_a_key_step_does_not_stand_for_that_step(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_region(site)
    add_rack_controller(site)
    add_node(site, "rack1")

    async def rotate_meanwhile(*_: Any) -> None:
        site.regions[(gen.NAMESPACE, "demo")].keys = RegionKeys(gen.KEY, b"agent key", (1, 2))

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(site.client, "annotate", rotate_meanwhile)
        await reconcile(site)
    assert "demo" not in site.regions[(gen.NAMESPACE, "demo")].rack_config_hashes
    await reconcile(site)
    assert "demo" in site.regions[(gen.NAMESPACE, "demo")].rack_config_hashes
