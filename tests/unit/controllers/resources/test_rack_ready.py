"""Whether a RackController is Ready: what pods tell of the spec, and what of one rack alone."""

from typing import Any

import pytest

from rackrelay.cluster.client import EVENT, NODE
from tests import gen
from tests.unit.controllers.resources.rack_site import (
    add_node,
    add_rack_controller,
    add_region,
    add_two_healthy,
    decide,
    message,
    reconcile,
)
from tests.unit.controllers.site import Site

UP: dict[str, Any] = {"conditions": [{"type": "Ready", "status": "True"}]}


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
    await add_two_healthy(site)
    add_rack_controller(site, pods={"nodeSelector": gen.RACK_NODES, "image": "y:2"})
    assert (await reconcile(site))["Ready"] == ("False", "Updating")
    assert "0 of 2" in message(site, "Ready")
    assert "rack1" in message(site, "Ready")
    assert "rack2" not in message(site, "Ready")
