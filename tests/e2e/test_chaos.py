"""Three minutes of faults by chance; `python -m tests.e2e.chaos` has half an hour."""

import pytest

from lab.demo import product
from lab.demo.report import Report
from tests.e2e.chaos.run import Storm, run_storm

pytestmark = pytest.mark.e2e

# Generous, because tests run on machines that do other things; the figure itself is a bench's and the long run's.
STORM = Storm(lasts_s=180, seed=20261122, bound_s=5.0)


def test_machines_always_have_a_rack(report: Report) -> None:
    lab = report.lab
    lab.kubectl("label", "node", "rack4", "rackrelay.dev/role=rack", "--overwrite")
    report.wait("four racks", lambda: len(product.rack_pods(lab)) == 4, 120)
    product.wait_ready(report, 180)
    assert run_storm(lab, STORM) == []
