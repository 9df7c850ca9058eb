"""The API server goes away, comes back, and has changed meanwhile."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from kubernetes.client.exceptions import ApiException

from lab.apiserver import ApiServer
from rackrelay.cluster.client import NODE, SUBNET
from tests.api.operator.cluster import wait_for
from tests.api.operator.etcd import Etcd
from tests.api.operator.metrics import metric
from tests.api.operator.replicas import Replica
from tests.api.operator.rig import Rig, open_rig

pytestmark = pytest.mark.api

A, B = ("10.10.0.2", "10.10.0.3"), ("10.20.0.3",)
OUTAGE_S = 5.0


@pytest.fixture(scope="module")
def site(mortal_server: ApiServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """A zone of two names, which each test but the last one finds again."""
    with open_rig(mortal_server, tmp_path_factory.mktemp("outage"), outages=True) as rig:
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


def count_updates(site: Rig) -> dict[str, int]:
    return {name: len(pod.dns.record.updates) for name, pod in site.pods.items()}


@pytest.fixture
def late(site: Rig, tmp_path: Path) -> Iterator[Replica]:
    """A second operator, which leads as well."""
    late = Replica(site, tmp_path / "late", elects=False)
    yield late
    if site.operator is not late:
        late.kill()


def test_outage_alone_changes_nothing_even_by_an_operator_that_starts_in_it(site: Rig, late: Replica) -> None:
    """The one that started in the outage is alone in all that follows."""
    updates, zone = count_updates(site), site.published()
    assert zone is not None
    site.cluster.server.kill()
    late.start()
    wait_for("it asks in vain", lambda: "the API server cannot be read yet" in late.log, lambda: late.log)
    site.wait_polled(3)
    assert (late.ask_health("/healthz"), late.ask_health("/readyz")) == (200, 503)
    assert "rackrelay_zone_serial" not in late.metrics()
    come_back(site)
    late.wait_started()
    site.wait_polled(3)
    site.hand_over(late)
    wait_for("it decides", lambda: metric(site, "rackrelay_zone_serial"), lambda: late.log)
    assert late.ask_health("/readyz") == 200
    assert site.published() == zone
    assert count_updates(site) == updates


def test_watch_that_cannot_go_on_begins_anew_and_a_rack_that_died_is_withdrawn(site: Rig) -> None:
    """The API server answers 410 to the revision that the operator has: it has to list again.

    The zone is written before it is published, so nothing is withdrawn while the API server is away.
    """
    server = site.cluster.server
    version = site.wait_object(SUBNET, "prov-a")["metadata"]["resourceVersion"]
    server.kill()
    Etcd(server).delete_resource("subnets", site.namespace, "prov-b")
    Etcd(server).compact()
    site.pods["rack2"].power_off()
    site.wait_polled(3)
    assert dict(site.pods["rack3"].dns.zone.rrsets) == {("10-10-0-0--24", "A"): A, ("10-20-0-0--24", "A"): B}
    come_back(site)
    with pytest.raises(ApiException, match="Expired"):
        site.cluster.watch_from(SUBNET, site.namespace, version)
    site.wait_zone(_10_10_0_0__24=("10.10.0.3",))
    site.apply("Subnet", "prov-b", {"cidr": "10.20.0.0/24"})
    site.pods["rack2"].power_on()
    site.wait_zone(_10_10_0_0__24=A, _10_20_0_0__24=B)


def test_deletions_during_an_outage_are_noticed(site: Rig) -> None:
    """Of the last objects of their kind, too, for which a watch that begins anew brings no event at all.

    A rack whose Node is gone leaves although it serves on.
    """
    server = site.cluster.server
    server.kill()
    gone = time.monotonic()
    for name in ("prov-a", "prov-b"):
        Etcd(server).delete_resource("subnets", site.namespace, name)
    Etcd(server).delete("/registry/minions/rack2")
    serving = site.pods.pop("rack2")
    try:
        # Long enough for the operator to have lost its watches and failed to open new ones.
        time.sleep(max(0.0, OUTAGE_S - (time.monotonic() - gone)))
        come_back(site)
        assert site.cluster.get(NODE, "", "rack2") is None
        site.wait_zone()
        site.apply("Subnet", "prov-a", {"cidr": "10.10.0.0/24"})
        site.apply("Subnet", "prov-b", {"cidr": "10.20.0.0/24"})
        site.wait_zone(_10_10_0_0__24=("10.10.0.3",), _10_20_0_0__24=B)
    finally:
        serving.power_off()
