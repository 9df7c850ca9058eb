"""A cable that fails while its carrier stays, as one beyond a switch does."""

from typing import Any

import pytest

from lab.demo.product import NAME_B, NAMESPACE, RACKS_B
from lab.demo.report import Report
from lab.demo.steps import lookup

pytestmark = pytest.mark.e2e

RACK4 = "10.20.0.5"
RACK2, RACK3 = RACKS_B


def answers(report: Report) -> list[str]:
    """What rack2, whose cables are whole, says of prov-b."""
    return sorted(lookup(report, "m2", NAME_B, RACK2))


def test_rack_that_its_peers_do_not_hear_leaves_their_subnet(report: Report) -> None:
    lab, everybody = report.lab, sorted([*RACKS_B, RACK4])
    # Two racks that do not hear each other cannot tell which of them is cut off.
    lab.kubectl("label", "node", "rack4", "rackrelay.dev/role=rack", "--overwrite")
    report.wait("three racks on prov-b", lambda: answers(report) == everybody, 90)
    lab.loss("rack3", "prov0", 100)
    try:
        report.wait("rack3 withdrawn", lambda: answers(report) == sorted([RACK2, RACK4]), 15)

        def told() -> str:
            status: dict[str, Any] = lab.kubectl_json("get", "snet", "prov-b", "-n", NAMESPACE)["status"]
            health = next(c for c in status["conditions"] if c["type"] == "RacksHealthy")
            return str(health["message"]) if health["reason"] == "Degraded" else ""

        assert "rack3" in report.wait("the Subnet names it", told, 15)
    finally:
        lab.heal("rack3")
    report.wait("rack3 back", lambda: answers(report) == everybody, 30)
