"""Every bench runs, with the fewest runs it has. What it measures is nobody's business here."""

import math

import pytest

from lab.cluster import Lab
from tests.bench.registry import BENCHES, Bench
from tests.bench.workshop import Workshop

# What all these tests use was installed by the bench of that already.
OTHERS = [bench for bench in BENCHES if bench.name != "install"]


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("bench", OTHERS, ids=lambda bench: bench.name)
def test_it_runs(bench: Bench, lab: Lab) -> None:
    with Workshop(quick=True, lab=lab) as workshop:
        results = bench.run(workshop)
    assert results
    assert len({result.name for result in results}) == len(results)
    for result in results:
        assert math.isfinite(result.ours), result
        assert result.spread[0] <= result.spread[1], result
