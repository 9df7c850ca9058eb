"""The same settings on every subnet: clients that know no other name than rack.<domain>."""

import time
from functools import partial

import pytest

from lab.demo.report import Report
from lab.demo.steps import find_line

pytestmark = pytest.mark.e2e

RACK = "rack.maas-internal"


@pytest.mark.parametrize("machine", ["m1", "m2"])
def test_clients_are_served_by_the_shared_name(report: Report, machine: str) -> None:
    lab = report.lab
    assert "2012-03-01" in lab.run_in(machine, ["curl", "-sS", "--fail", f"http://{RACK}:5248/MAAS/metadata/"]).stdout
    lab.run_in(machine, ["apt-get", "-qq", "-o", f"Acquire::http::Proxy=http://{RACK}:8000", "update"])
    for protocol in ("--udp", "--tcp"):
        line = f"shared{protocol}-{time.time_ns()}"
        lab.run_in(machine, ["logger", "--server", RACK, "--port", "5247", protocol, line])
        assert f" {machine} " in report.wait("at the region", partial(find_line, report, line), 30)
