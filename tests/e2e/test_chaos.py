"""Three minutes of random faults; `python -m tests.e2e.chaos` lets them rain for longer and from any seed."""

import pytest

from lab.demo import product
from lab.demo.report import Report
from tests.e2e.chaos.run import Storm, prepare, run_storm

pytestmark = [pytest.mark.e2e, pytest.mark.last]

STORM = Storm(lasts_s=180, seed=20, bound_s=1.5)


def test_machines_are_answered_by_live_racks_and_sent_to_no_dead_one(report: Report) -> None:
    prepare(report)
    violations = run_storm(report.lab, STORM)
    assert not violations, "\n".join([*violations, product.describe_state(report.lab)])
