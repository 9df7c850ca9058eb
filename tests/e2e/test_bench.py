"""Every bench that needs the lab runs."""

import pytest

from lab.cluster import Lab
from tests.bench.registry import BENCHES, Bench
from tests.bench.trial import try_out

pytestmark = pytest.mark.e2e

# What all these tests use was installed by the bench of that already.
ON_THE_LAB = [bench for bench in BENCHES if bench.needs == "lab" and bench.name != "install"]


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("bench", ON_THE_LAB, ids=lambda bench: bench.name)
def test_it_runs(bench: Bench, lab: Lab) -> None:
    try_out(bench, lab)
