"""A lab of its own for the end-to-end tests, with rackrelay installed as a user would install it."""

import os
from collections.abc import Iterator

import pytest

from lab.cluster import Lab
from lab.demo import product
from lab.demo.report import Report
from tests.bench.install import install_anew
from tests.e2e.namespaces import FAULTS

NAME = "e2e"


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """A running lab. RACKRELAY_LAB names one to use and leave as it is; otherwise one is made and removed."""
    if given := os.environ.get("RACKRELAY_LAB"):
        yield Lab.up(given)
        return
    lab = Lab.up(NAME, fresh=True)
    try:
        yield lab
    finally:
        lab.down()


@pytest.fixture(scope="session")
def installed(lab: Lab) -> Report:
    """The example, installed by the bench and Ready, with a second region namespace for tests that break things."""
    report = Report(lab)
    install_anew(report, "--set", f"regionNamespaces={{{product.NAMESPACE},{FAULTS}}}")
    return report


@pytest.fixture
def report(installed: Report) -> Report:
    """The example as it was applied, and Ready again, whatever the test before left."""
    return restore(installed)


@pytest.fixture(scope="module")
def module_report(installed: Report) -> Report:
    """The same, for tests of which each goes on from what the one before has left."""
    return restore(installed)


def restore(installed: Report) -> Report:
    product.apply_example(installed.lab)
    installed.wait("three racks", lambda: len(product.rack_pods(installed.lab)) == 3, 120)
    product.wait_ready(installed, 180)
    return installed
