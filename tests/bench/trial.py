"""A bench on trial: it runs, with the fewest runs it has. What it measures is nobody's business there."""

import math

from lab.cluster import Lab
from tests.bench.registry import Bench
from tests.bench.workshop import Workshop


def try_out(bench: Bench, lab: Lab | None = None) -> None:
    """It gives figures, each under a name of its own."""
    with Workshop(quick=True, lab=lab) as workshop:
        results = bench.run(workshop)
    assert results
    assert len({result.name for result in results}) == len(results)
    for result in results:
        assert math.isfinite(result.ours), result
        assert result.spread[0] <= result.spread[1], result
