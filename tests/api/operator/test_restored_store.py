"""etcd is restored from a backup: it counts on from there, and says so to nobody who watches."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.apiserver import ApiServer
from rackrelay.cluster.client import SUBNET
from tests.api.operator.cluster import install_definitions, wait_for
from tests.api.operator.replicas import Replica
from tests.api.operator.rig import Rig, open_rig

pytestmark = pytest.mark.api

A, B = ("10.10.0.2",), ("10.20.0.2",)
# More than are made after the backup was restored, so that watches that were not begun anew would show none of them.
FORGOTTEN = 200


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Rig]:
    """A rack on two networks, one of which has a Subnet. Nobody else uses the API server."""
    with ApiServer() as server:
        install_definitions(server)
        with open_rig(server, tmp_path, outages=True) as rig:
            yield rig


def test_operator_begins_anew_and_serials_go_on(site: Rig, tmp_path: Path) -> None:
    server, operator = site.cluster.server, Replica(site, tmp_path / "leader")
    operator.start()
    try:
        site.apply_demo("region.yaml", "rack.yaml")
        site.apply("Subnet", "prov-a", {"cidr": "10.10.0.0/24"})
        site.add_rack(2, "10.10.0.2/24", "10.20.0.2/24")
        site.wait_zone(_10_10_0_0__24=A)
        server.back_up()
        site.apply("Subnet", "prov-b", {"cidr": "10.20.0.0/24"})
        site.wait_zone(_10_10_0_0__24=A, _10_20_0_0__24=B)
        forgotten = site.pods["rack2"].dns.zone.serial
        for number in range(FORGOTTEN):
            change = {"metadata": {"annotations": {"number": str(number)}}}
            site.cluster.patch(SUBNET, site.namespace, "prov-a", change)
        server.restore()
        wait_for("it ends", lambda: not operator.is_running, lambda: operator.log)
        assert "the API server's store has been set back" in operator.log
        assert "Traceback" not in operator.log, operator.log
        # As the kubelet does.
        operator.kill()
        operator.start()
        site.wait_zone(_10_10_0_0__24=A)
        assert site.pods["rack2"].dns.zone.serial > forgotten
        site.apply("Subnet", "prov-b", {"cidr": "10.20.0.0/24"})
        site.wait_zone(_10_10_0_0__24=A, _10_20_0_0__24=B)
    finally:
        operator.kill()
