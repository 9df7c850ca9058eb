"""What is wrong is said in conditions, and goes away by itself once it is put right."""

from collections.abc import Iterator

import pytest

from lab.apiserver import ApiServer
from rackrelay.cluster.client import EVENT, NODE, RACK, REGION, SUBNET, Kind
from tests.api.operator.cluster import Manifest, wait_for
from tests.api.operator.rig import Rig, open_rig

pytestmark = pytest.mark.api


@pytest.fixture(scope="module")
def empty(api_server: ApiServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """A namespace without resources in which the operator runs."""
    with open_rig(api_server, tmp_path_factory.mktemp("conditions")) as rig:
        rig.operator.start()
        rig.operator.wait_started()
        yield rig


@pytest.fixture
def site(empty: Rig) -> Iterator[Rig]:
    """The same, empty again afterwards."""
    yield empty
    for kind in (SUBNET, RACK, REGION):
        for found in empty.cluster.list_all(kind, empty.namespace):
            empty.cluster.delete(kind, empty.namespace, found["metadata"]["name"])


def message(found: Manifest, kind: str) -> str:
    return next(str(c["message"]) for c in found["status"]["conditions"] if c["type"] == kind)


def test_two_subnets_with_one_cidr(site: Rig) -> None:
    site.apply("RegionController", "demo", {})
    site.apply("Subnet", "first", {"cidr": "10.10.0.0/24"})
    site.wait_conditions(SUBNET, "first", Ready=("False", "NoRackAddress"))
    site.apply("Subnet", "second", {"cidr": "10.10.0.0/24"})
    # Created within one second they are told apart by name, which is in the same order here.
    found = site.wait_conditions(SUBNET, "second", Stalled=("True", "DuplicateCIDR"), Ready=("False", "DuplicateCIDR"))
    assert "first" in message(found, "Stalled")
    assert "spec.cidr" in message(found, "Stalled")
    assert "Stalled" not in site.conditions(SUBNET, "first")
    site.cluster.delete(SUBNET, site.namespace, "first")
    site.wait_conditions(SUBNET, "second", Stalled=None, Ready=("False", "NoRackAddress"))


def test_nested_subnets_are_told(site: Rig) -> None:
    site.apply("RegionController", "demo", {})
    site.apply("Subnet", "outer", {"cidr": "10.10.0.0/16"})
    site.apply("Subnet", "inner", {"cidr": "10.10.4.0/24"})
    for name in ("outer", "inner"):
        site.wait_conditions(SUBNET, name, Overlapping=("True", "NestedSubnets"))
    site.cluster.delete(SUBNET, site.namespace, "inner")
    site.wait_conditions(SUBNET, "outer", Overlapping=None)


@pytest.mark.parametrize(
    ("kind", "spec"),
    [(RACK, {"pods": {"nodeSelector": {"no": "node"}}}), (SUBNET, {"cidr": "10.10.0.0/24"})],
    ids=["rack", "subnet"],
)
def test_region_is_missing_ambiguous_named(site: Rig, kind: Kind, spec: Manifest) -> None:
    site.apply(kind.name, "x", spec)
    found = site.wait_conditions(kind, "x", Reconciling=("True", "RegionNotFound"), Ready=("False", "RegionNotFound"))
    assert "create" in message(found, "Ready")
    site.apply("RegionController", "north", {})
    site.wait_conditions(kind, "x", Reconciling=None if kind is RACK else ("True", "NoRackAddress"))
    site.apply("RegionController", "south", {})
    found = site.wait_conditions(kind, "x", Stalled=("True", "AmbiguousRegion"))
    assert "north, south" in message(found, "Stalled")
    site.apply(kind.name, "x", {**spec, "regionRef": {"name": "south"}})
    site.wait_conditions(kind, "x", Stalled=None)


def test_racks_namespace_that_forbids_host_network(site: Rig) -> None:
    """Nobody makes pods here, so the DaemonSet's Event is written as its controller words it."""
    site.apply("RegionController", "demo", {})
    site.apply("RackController", "demo", {"pods": {"nodeSelector": {"rackrelay.dev/role": "rack"}}})
    site.add_node("rack9", "127.53.0.9")
    site.wait_conditions(RACK, "demo", Ready=("False", "Starting"))
    words = 'Error creating: pods "demo-rack-x" is forbidden: violates PodSecurity "restricted:latest": host namespaces'
    target = {"apiVersion": "apps/v1", "kind": "DaemonSet", "namespace": site.namespace, "name": "demo-rack"}
    event = {
        "metadata": {"namespace": site.namespace, "name": "demo-rack.refused"},
        "involvedObject": target,
        "type": "Warning",
        "reason": "FailedCreate",
        "message": words,
        "source": {"component": "daemonset-controller"},
        "lastTimestamp": "2026-01-01T00:00:00Z",
    }
    site.cluster.create(EVENT, event)
    found = site.wait_conditions(RACK, "demo", Ready=("False", "PodsRefused"))
    assert "pod-security.kubernetes.io/enforce=privileged" in message(found, "Ready")
    site.cluster.delete(NODE, "", "rack9")
    site.wait_conditions(RACK, "demo", RacksHealthy=("False", "NoRacks"), Ready=("True", "Applied"))


def test_turns_are_told_by_events(site: Rig) -> None:
    site.apply("Subnet", "lonely", {"cidr": "10.99.0.0/24"})
    site.wait_conditions(SUBNET, "lonely", Ready=("False", "RegionNotFound"))

    def events() -> list[Manifest]:
        found = site.cluster.list_all(EVENT, site.namespace)
        return [e for e in found if (e["involvedObject"]["name"], e["reason"]) == ("lonely", "RegionNotFound")]

    (event,) = wait_for("an Event", events)
    assert event["source"]["component"] == "rackrelay"
    assert "create one" in event["message"]


def test_status_speaks_of_the_newest_generation(site: Rig) -> None:
    site.apply("RegionController", "demo", {})
    site.apply("Subnet", "x", {"cidr": "10.10.0.0/24"})
    site.wait_conditions(SUBNET, "x", Ready=("False", "NoRackAddress"))
    site.apply("Subnet", "x", {"cidr": "10.10.0.0/24", "managed": False})
    found = site.wait_conditions(SUBNET, "x", Ready=("True", "Applied"))
    assert found["metadata"]["generation"] == found["status"]["observedGeneration"] == 2
