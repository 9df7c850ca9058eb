"""The API server goes away, comes back, and has changed meanwhile."""

import time
from collections.abc import Iterator

import pytest
from kubernetes.client.exceptions import ApiException

from lab.apiserver import ApiServer
from lab.paths import REPOSITORY
from rackrelay.cluster.client import NODE, SUBNET
from tests.api.operator.etcd import Etcd
from tests.api.operator.rig import Rig, open_rig

pytestmark = pytest.mark.api

A, B = ("10.10.0.2", "10.10.0.3"), ("10.20.0.3",)
CRDS = str(REPOSITORY / "crds")
OUTAGE_S = 5.0


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """An API server of its own with a zone of two names, which each test finds again."""
    with ApiServer() as server:
        server.kubectl("apply", "-f", CRDS)
        server.kubectl("wait", "--for=condition=Established", "--timeout=60s", "-f", CRDS)
        with open_rig(server, tmp_path_factory.mktemp("outage"), outages=True) as rig:
            rig.operator.start()
            rig.apply_demo("region.yaml", "rack.yaml")
            for name, cidr in (("prov-a", "10.10.0.0/24"), ("prov-b", "10.20.0.0/24")):
                rig.apply("Subnet", name, {"cidr": cidr})
            rig.add_rack(2, "10.10.0.2/24")
            rig.add_rack(3, "10.10.0.3/24", "10.20.0.3/24")
            rig.wait_zone(_10_10_0_0__24=A, _10_20_0_0__24=B)
            yield rig


def come_back(rig: Rig) -> None:
    """The API server answers again, and the operator is at work."""
    rig.cluster.server.start()
    rig.wait_polled(1)


def test_deletion_during_an_outage_is_noticed(site: Rig) -> None:
    """Of the last objects of their kind, too, for which a watch that begins anew brings no event at all."""
    server = site.cluster.server
    server.kill()
    gone = time.monotonic()
    for name in ("prov-a", "prov-b"):
        Etcd(server).delete_resource("subnets", site.namespace, name)
    # Long enough for the operator to have lost its watches and failed to open new ones.
    time.sleep(max(0.0, OUTAGE_S - (time.monotonic() - gone)))
    come_back(site)
    site.wait_zone()
    site.apply("Subnet", "prov-a", {"cidr": "10.10.0.0/24"})
    site.apply("Subnet", "prov-b", {"cidr": "10.20.0.0/24"})
    site.wait_zone(_10_10_0_0__24=A, _10_20_0_0__24=B)


def test_outage_alone_changes_nothing(site: Rig) -> None:
    before = {name: len(pod.dns.record.updates) for name, pod in site.pods.items()}
    zone = site.published()
    site.cluster.server.kill()
    site.wait_polled(3)
    come_back(site)
    site.wait_polled(3)
    assert site.published() == zone
    assert {name: len(pod.dns.record.updates) for name, pod in site.pods.items()} == before


def test_watch_from_a_revision_that_is_gone_begins_anew(site: Rig) -> None:
    """The API server answers 410 to the revision that the operator has: it has to list again."""
    server = site.cluster.server
    version = site.wait_object(SUBNET, "prov-a")["metadata"]["resourceVersion"]
    server.kill()
    Etcd(server).delete_resource("subnets", site.namespace, "prov-b")
    Etcd(server).compact()
    come_back(site)
    with pytest.raises(ApiException, match="Expired"):
        site.cluster.watch_from(SUBNET, site.namespace, version)
    site.wait_zone(_10_10_0_0__24=A)
    site.apply("Subnet", "prov-b", {"cidr": "10.20.0.0/24"})
    site.wait_zone(_10_10_0_0__24=A, _10_20_0_0__24=B)


def test_rack_that_dies_during_an_outage_is_withdrawn_as_soon_as_it_can_be_kept(site: Rig) -> None:
    """The zone is written before it is published, so nothing is withdrawn while the API server is away."""
    site.cluster.server.kill()
    site.pods["rack2"].power_off()
    site.wait_polled(3)
    assert len(site.pods["rack3"].dns.zone.rrsets) == 2
    come_back(site)
    site.wait_zone(_10_10_0_0__24=("10.10.0.3",), _10_20_0_0__24=B)
    site.pods["rack2"].power_on()
    site.wait_zone(_10_10_0_0__24=A, _10_20_0_0__24=B)


def test_node_deleted_during_an_outage_leaves_the_zone(site: Rig) -> None:
    server = site.cluster.server
    site.pods.pop("rack2").power_off()
    server.kill()
    Etcd(server).delete("/registry/minions/rack2")
    come_back(site)
    assert site.cluster.get(NODE, "", "rack2") is None
    site.wait_zone(_10_10_0_0__24=("10.10.0.3",), _10_20_0_0__24=B)
