"""A restarted operator with nothing changed leaves everything as it is."""

from collections.abc import Iterator

import pytest

from lab.apiserver import ApiServer
from rackrelay.cluster.client import RACK, REGION, SUBNET
from tests.api.operator.rig import Rig, open_rig

pytestmark = pytest.mark.api

# Amounts that the API server does not store as they are written here, and text that it drops.
AWKWARD = {
    "resources": {"squid": {"requests": {"cpu": 1, "memory": "1024Mi"}, "limits": {"memory": "2048Mi"}}},
    "tolerations": [{"key": "a", "operator": "Exists", "value": ""}],
    "labels": {"team": "metal"},
}


@pytest.fixture(scope="module")
def settled(api_server: ApiServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """Everything is published, applied and said. The tests run in their order and change it only at the end."""
    with open_rig(api_server, tmp_path_factory.mktemp("restart")) as rig:
        lay_out(rig)
        yield rig


def lay_out(rig: Rig) -> None:
    rig.operator.start()
    pods = {"nodeSelector": {"rackrelay.dev/role": "rack"}, **AWKWARD}
    rig.apply("RegionController", "demo", {"replicas": 1, "pods": AWKWARD})
    rig.apply("RackController", "demo", {"pods": pods})
    for name, cidr in (("prov", "10.10.0.0/24"), ("prov6", "fd00:10::/64"), ("wide", "10.0.0.0/8")):
        rig.apply("Subnet", name, {"cidr": cidr})
    rig.apply("Subnet", "twice", {"cidr": "10.10.0.0/24"})
    rig.add_region_pod(0)
    rig.add_rack(2, "10.10.0.2/24", "fd00:10::2/64")
    rig.add_rack(3, "10.10.0.3/24", "10.20.0.3/24")
    wait_settled(rig)


def wait_settled(rig: Rig) -> None:
    rig.wait_applied()
    rig.wait_conditions(
        REGION,
        "demo",
        Ready=("True", "Applied"),
        ZonePublished=("True", "Published"),
        ConfigApplied=("True", "Applied"),
    )
    rig.wait_conditions(
        RACK, "demo", Ready=("True", "Applied"), RacksHealthy=("True", "AllHealthy"), ConfigApplied=("True", "Applied")
    )
    for name in ("prov", "prov6", "wide"):
        rig.wait_conditions(SUBNET, name, Ready=("True", "Applied"), RacksHealthy=("True", "AllHealthy"))
    rig.wait_polled(4)


def test_restart_writes_nothing_and_sends_nothing(settled: Rig) -> None:
    settled.operator.stop()
    objects, writes = settled.snapshot(), settled.cluster.count_writes()
    updates = {name: len(pod.dns.record.updates) for name, pod in settled.pods.items()}
    settled.operator.start()
    settled.operator.wait_started()
    settled.wait_polled(5)
    assert settled.cluster.count_writes() == writes, settled.operator.log
    assert settled.snapshot() == objects
    assert {name: len(pod.dns.record.updates) for name, pod in settled.pods.items()} == updates


def test_operator_that_runs_on_writes_nothing_either(settled: Rig) -> None:
    writes = settled.cluster.count_writes()
    settled.wait_polled(5)
    assert settled.cluster.count_writes() == writes, settled.operator.log


def test_rack_that_died_while_no_operator_ran_is_withdrawn_and_no_other(settled: Rig) -> None:
    settled.operator.stop()
    settled.pods["rack2"].power_off()
    settled.operator.start()
    zone = settled.wait_zone(_10_10_0_0__24=("10.10.0.3",), _10_0_0_0__8=("10.20.0.3",), fd00_10____64=("fd00:10::2",))
    history = settled.pods["rack3"].dns.record.history
    assert history[-1] == zone
    # In one step: at no moment did the names hold less.
    assert history[-2].serial == zone.serial - 1


def test_what_changed_while_no_operator_ran_is_done(settled: Rig) -> None:
    """The silence of the first test would prove nothing if the operator were asleep."""
    settled.operator.stop()
    settled.cluster.delete(SUBNET, settled.namespace, "prov6")
    settled.operator.start()
    settled.wait_zone(_10_10_0_0__24=("10.10.0.3",), _10_0_0_0__8=("10.20.0.3",))
