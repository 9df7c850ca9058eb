"""One RegionController: its keys, its objects, and what its status says."""

import asyncio
from typing import Any

import pytest

from rackrelay import names
from rackrelay.cluster.client import CONFIG_MAP, NODE, POD, RACK, REGION
from rackrelay.controllers.resources.region import PARALLEL_TOUCHES, config_condition, reconcile_region, refresh_volumes
from rackrelay.controllers.state.region_state import ZoneState
from rackrelay.daemons.nginx import NGINX
from rackrelay.errors import NotReady
from rackrelay.manifests.configmaps import build_zone_config
from rackrelay.model.region import RegionController
from rackrelay.nameservers.push import Outcome
from tests import gen
from tests.unit.controllers.site import Site

HASH = "c0ffee"


def add_region(site: Site, zone: bool = True, **spec: Any) -> RegionController:
    site.put(REGION, gen.body("RegionController", "demo", {"replicas": 2, **spec}))
    if zone:
        site.put(CONFIG_MAP, build_zone_config(gen.NAMESPACE, "demo", gen.zone(1), None))
    return site.inventory.regions(gen.NAMESPACE)[0]


def add_pod(site: Site, ordinal: int, ready: bool = True, config: str = "", **status: Any) -> None:
    labels = {names.LABEL_COMPONENT: names.COMPONENT_REGION, names.LABEL_REGION: "demo"}
    name = names.region_replica("demo", ordinal)
    metadata = {"namespace": gen.NAMESPACE, "name": name, "uid": name, "labels": labels, "annotations": {}}
    if config:
        metadata["annotations"] = {names.ANNOTATION_CONFIG: config}
    conditions = [{"type": "Ready", "status": str(ready)}]
    site.put(
        POD, {"metadata": metadata, "status": {"podIP": f"10.244.0.{ordinal}", "conditions": conditions, **status}}
    )


async def reconcile(site: Site) -> dict[str, tuple[str, str]]:
    (region,) = site.inventory.regions(gen.NAMESPACE)
    await reconcile_region(site, region)
    return site.conditions("RegionController", "demo")


async def test_pods_are_not_made_before_the_zone(site: Site) -> None:
    add_region(site, zone=False)
    with pytest.raises(NotReady, match="zone"):
        await reconcile(site)
    assert "apply StatefulSet demo-region" not in site.client.writes
    assert "zone demo" in site.waiting()


async def test_objects_of_a_region(site: Site) -> None:
    add_region(site)
    found = await reconcile(site)
    assert [w for w in site.client.writes if w.startswith("apply ") and "status" not in w and "Secret" not in w] == [
        "apply Service demo-region-0",
        "apply Service demo-region-1",
        "apply ConfigMap demo-region",
        "apply StatefulSet demo-region",
    ]
    assert found == {"Ready": ("False", "Starting"), "Reconciling": ("True", "Starting")}


async def test_fewer_replicas_delete_the_services_that_are_left_over(site: Site) -> None:
    add_region(site)
    await reconcile(site)
    site.put(REGION, gen.body("RegionController", "demo", {"replicas": 1}, generation=2))
    await reconcile(site)
    assert [w for w in site.client.writes if w.startswith("delete")] == ["delete Service demo-region-1"]


async def test_ready_when_every_replica_is(site: Site) -> None:
    region = add_region(site)
    site.regions[region.meta.key].zone = ZoneState(gen.zone(1), {}, {})
    add_pod(site, 0)
    add_pod(site, 1, ready=False)
    assert (await reconcile(site))["Ready"] == ("False", "Starting")
    add_pod(site, 1)
    found = await reconcile(site)
    assert found["Ready"] == ("True", "Applied")
    assert "Reconciling" not in found
    status = site.status("RegionController", "demo")
    assert (status["replicas"], status["readyReplicas"]) == (2, 2)


async def test_restarted_operator_keeps_the_status_until_it_has_looked(site: Site) -> None:
    region = add_region(site)
    await reconcile(site)
    add_pod(site, 0)
    assert (await reconcile(site))["Ready"][1] == "Starting"
    assert site.status("RegionController", "demo")["replicas"] == 0
    site.regions[region.meta.key].zone = ZoneState(gen.zone(1), {}, {})
    await reconcile(site)
    assert site.status("RegionController", "demo")["replicas"] == 1


async def test_pod_that_cannot_start_is_told(site: Site) -> None:
    add_region(site)
    stuck = {"name": "named", "image": "x:1", "state": {"waiting": {"reason": "ErrImagePull"}}}
    add_pod(site, 0, ready=False, containerStatuses=[stuck])
    assert (await reconcile(site))["Ready"] == ("False", "PodsNotReady")


async def test_zone_in_the_status(site: Site) -> None:
    region = add_region(site)
    zone = gen.zone(7, a=("10.0.0.1",), b=("fd00::1",))
    site.regions[region.meta.key].zone = ZoneState(zone, {}, {})
    assert (await reconcile(site))["ZonePublished"] == ("True", "Published")
    assert site.status("RegionController", "demo")["zone"] == {"serial": 7, "names": 2, "digest": zone.digest}


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (Outcome.UPDATED, ("True", "Published")),
        (Outcome.UNREACHABLE, ("True", "Published")),
        (Outcome.DIFFERS, ("False", "ServersDiffer")),
        (Outcome.REFUSED, ("False", "ServersDiffer")),
        (Outcome.FAILED, ("False", "ServersDiffer")),
        (Outcome.DRIFTED, ("False", "ContentDiffers")),
    ],
)
async def test_server_in_reach_that_does_not_serve_the_zone(
    site: Site, outcome: Outcome, expected: tuple[str, str]
) -> None:
    region = add_region(site)
    site.regions[region.meta.key].zone = ZoneState(gen.zone(7), {}, {gen.server("rack1"): outcome})
    assert (await reconcile(site))["ZonePublished"] == expected


async def test_server_that_answers_probes_and_no_update_does_not_serve_the_zone(site: Site) -> None:
    region = add_region(site)
    server = gen.server("rack1")
    site.health.track({server: gen.region()})
    site.health.answered(server, 6, site.now())
    site.regions[region.meta.key].zone = ZoneState(gen.zone(7), {}, {server: Outcome.UNREACHABLE})
    assert (await reconcile(site))["ZonePublished"] == ("False", "ServersDiffer")
    # It was out of reach when the zone was sent, and is back with it.
    site.health.answered(server, 7, site.now())
    assert (await reconcile(site))["ZonePublished"] == ("True", "Published")


@pytest.mark.parametrize(
    ("serial", "outcome", "words"),
    [
        (2**32 - 1, Outcome.DIFFERS, "rack1 (has serial 4294967295"),
        (6, Outcome.REFUSED, "its clock and its key"),
        (6, Outcome.FAILED, "its disk may be full"),
    ],
)
async def test_what_sending_again_cannot_help_is_told(site: Site, serial: int, outcome: Outcome, words: str) -> None:
    region = add_region(site)
    server = gen.server("rack1")
    site.health.track({server: gen.region()})
    site.health.answered(server, serial, site.now())
    site.regions[region.meta.key].zone = ZoneState(gen.zone(7), {}, {server: outcome})
    await reconcile(site)
    found = site.status("RegionController", "demo")["conditions"]
    assert words in next(c["message"] for c in found if c["type"] == "ZonePublished")


async def test_zone_that_does_not_fit_is_told(site: Site) -> None:
    region = add_region(site)
    site.regions[region.meta.key].zone = ZoneState(gen.zone(7), {}, {}, "5000 names need more than there is")
    assert (await reconcile(site))["ZonePublished"] == ("False", "ZoneTooLarge")


async def test_racks_networks_may_reach_the_region(site: Site) -> None:
    add_region(site)
    site.put(RACK, gen.body("RackController", "demo", {"pods": {"nodeSelector": gen.RACK_NODES}}))
    addresses = [{"type": "InternalIP", "address": "192.0.2.77"}]
    site.put(NODE, {"metadata": {"name": "rack1", "labels": gen.RACK_NODES}, "status": {"addresses": addresses}})
    site.put(
        NODE,
        {"metadata": {"name": "other"}, "status": {"addresses": [{"type": "InternalIP", "address": "192.0.2.88"}]}},
    )
    await reconcile(site)
    nginx = site.client.objects[("ConfigMap", gen.NAMESPACE, "demo-region")]["data"][NGINX.file]
    assert "192.0.2.77" in nginx
    assert "192.0.2.88" not in nginx


async def test_second_look_writes_nothing(site: Site) -> None:
    add_region(site)
    await reconcile(site)
    site.client.writes.clear()
    await reconcile(site)
    assert site.client.writes == []


def heard(site: Site, **status: Any) -> None:
    pod = gen.pod("demo-rack-x")
    server = gen.server("rack1", pod.address)
    site.health.track({server: gen.region()})
    site.health.take_status(server, gen.status(**status), site.now())


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        pytest.param({}, (True, "Applied"), id="runs"),
        pytest.param({"config_applied": False}, (False, "Applying"), id="not yet swapped"),
        pytest.param({"config_hash": "older"}, (False, "Applying"), id="not yet mounted"),
        pytest.param({"restart_needed": ("squid",)}, (False, "RestartPending"), id="read at the next start alone"),
        pytest.param({"rejected": {"named": "unknown option"}}, (False, "ConfigRejected"), id="refused by the checker"),
    ],
)
def test_config_condition(site: Site, status: dict[str, Any], expected: tuple[bool, str]) -> None:
    heard(site, **status)
    found = config_condition(site, [gen.pod("demo-rack-x")], HASH)
    assert found is not None
    assert (found.status, found.reason) == expected


def test_checkers_words_are_told(site: Site) -> None:
    heard(site, rejected={"named": "unknown option 'foo'"})
    found = config_condition(site, [gen.pod("demo-rack-x")], HASH)
    assert found is not None
    assert found.message == "demo-rack-x: named: unknown option 'foo'"


def test_daemons_that_run_the_file_before_are_named(site: Site) -> None:
    heard(site, restart_needed=("rsyslogd", "squid"))
    found = config_condition(site, [gen.pod("demo-rack-x")], HASH)
    assert found is not None
    assert "demo-rack-x (rsyslogd, squid)" in found.message


def test_nothing_is_said_of_agents_that_were_not_heard(site: Site) -> None:
    assert config_condition(site, [gen.pod("demo-rack-x")], HASH) is None


async def test_pods_are_touched_several_at_once(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand of them, one after the other, would keep a worker busy for seconds."""
    running, most = 0, 0

    async def touch(*arguments: Any) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.01)
        running -= 1

    monkeypatch.setattr(site.client, "annotate", touch)
    pods = [gen.pod(f"pod{number}", config="old") for number in range(3 * PARALLEL_TOUCHES)]
    await refresh_volumes(site, pods, "new")
    assert most == PARALLEL_TOUCHES
