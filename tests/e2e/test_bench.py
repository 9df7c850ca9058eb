"""Every bench runs, with the fewest runs it has. What it measures is nobody's business here."""

import math
from collections.abc import Iterator

import pytest

from lab.cluster import Lab
from lab.demo import product
from lab.demo.report import Report
from tests.bench.registry import BENCHES, Bench
from tests.bench.workshop import Workshop
from tests.e2e.namespaces import FAULTS


@pytest.fixture
def restored(lab: Lab, installed: Report) -> Iterator[None]:
    """A bench that installs anew leaves the other tests the installation that they expect."""
    yield
    product.install(lab, "--set", f"regionNamespaces={{{product.NAMESPACE},{FAULTS}}}")
    product.wait_ready(installed, 300)


@pytest.mark.usefixtures("restored")
@pytest.mark.parametrize("bench", BENCHES, ids=lambda bench: bench.name)
def test_it_runs(bench: Bench, lab: Lab) -> None:
    with Workshop(quick=True, lab=lab) as workshop:
        results = bench.run(workshop)
    assert results
    assert len({result.name for result in results}) == len(results)
    for result in results:
        assert math.isfinite(result.ours), result
        assert result.spread[0] <= result.spread[1], result
