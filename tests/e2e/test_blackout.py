"""The power of the whole room is cut: racks serve from their disks alone, and the zone's serial goes on."""

from functools import partial

import pytest

from lab.demo.product import NAME_A, NAME_B, NAMESPACE, RACKS_A, RACKS_B
from lab.demo.report import Report
from lab.demo.steps import METADATA, lookup
from rackrelay import names

pytestmark = pytest.mark.e2e

ZONE = "maas-internal"
# Subnet -> a machine there, its name, its racks.
SUBNETS = (("m1", NAME_A, RACKS_A), ("m2", NAME_B, RACKS_B))
RACKS = ("rack1", "rack2", "rack3")
# Kubelets and containers start at once on two cores.
PATIENCE_S = 180


def served(report: Report) -> list[int] | None:
    """The serial at each rack on each subnet; None while one of them does not answer the name with all its racks."""
    found = []
    for host, name, racks in SUBNETS:
        for rack in racks:
            soa = lookup(report, host, ZONE, rack, "SOA")
            if len(soa) < 3 or sorted(lookup(report, host, name, rack)) != sorted(racks):
                return None
            found.append(int(soa[2]))
    return found


def served_anew(report: Report, before: int) -> bool:
    """Whether all racks serve one version, which is newer."""
    serials = served(report)
    return serials is not None and len(set(serials)) == 1 and serials[0] > before


def test_racks_serve_from_their_disks_and_the_serial_goes_on(report: Report) -> None:
    lab = report.lab
    before = report.wait("all racks serve one version", partial(served, report), 60)
    assert len(set(before)) == 1
    try:
        for node in lab.nodes:
            lab.power_off(node)
        for rack in RACKS:
            lab.power_on(rack)
        report.wait("racks answer as before without regions and operator", lambda: served(report) == before, PATIENCE_S)
        # The durable copy is lost as well.
        lab.kubectl("delete", "configmap", names.zone_config("demo"), "-n", NAMESPACE)
    finally:
        for node, host in lab.nodes.items():
            if not host.is_on:
                lab.power_on(node)
    report.wait("a newer version at all racks", partial(served_anew, report, before[0]), PATIENCE_S)
    lab.wait_ready()
    lab.run_in("m1", ["curl", "-sS", "--fail", "--retry", "5", "--max-time", "30", METADATA])
