"""What the demo shows is tested as the demo shows it."""

import pytest

from lab.demo.report import Report
from lab.demo.steps import STEPS, Step

pytestmark = pytest.mark.e2e


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.name)
def test_step(report: Report, step: Step) -> None:
    step.run(report)
