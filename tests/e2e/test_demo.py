"""What the demo shows is tested as the demo shows it, one step after the other."""

import pytest

from lab.demo.report import Report
from lab.demo.steps import STEPS, Step

pytestmark = pytest.mark.e2e


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.name)
def test_step(module_report: Report, step: Step) -> None:
    step.run(module_report)
