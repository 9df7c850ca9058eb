"""Every bench that needs no lab runs."""

import pytest

from tests.bench.registry import BENCHES, Bench
from tests.bench.trial import try_out

pytestmark = pytest.mark.dataplane

WITHOUT_A_LAB = [bench for bench in BENCHES if bench.needs != "lab"]


@pytest.mark.parametrize("bench", WITHOUT_A_LAB, ids=lambda bench: bench.name)
def test_it_runs(bench: Bench) -> None:
    try_out(bench)
