"""The arithmetic of figures and goals."""

import pytest

from tests.bench.result import Goal, Result, of_runs, percentile, round_to, show


@pytest.mark.parametrize(
    ("values", "share", "found"),
    [([5.0], 0.99, 5.0), ([3.0, 1.0, 2.0], 0.99, 3.0), ([3.0, 1.0, 2.0, 4.0], 0.5, 2.0), (range(1, 1001), 0.99, 990)],
)
def test_a_percentile_is_one_of_the_values(values: list[float], share: float, found: float) -> None:
    assert percentile(values, share) == found


def test_the_median_and_the_worst_of_the_same_runs() -> None:
    times = [1.0, 4.0, 1.5]
    assert of_runs("x", times, "s", Goal()).ours == 1.5
    worst = of_runs("x", times, "s", Goal(), worst=True)
    assert (worst.ours, worst.spread, worst.runs) == (4.0, (1.0, 4.0), 3)


@pytest.mark.parametrize(
    ("goal", "ours", "ratio", "met"),
    [
        (Goal(), 7.0, None, None),
        (Goal(at_most=1.3), 1.3, None, True),
        (Goal(at_most=1.3), 1.31, None, False),
        (Goal(at_least=0.9), 0.8, None, False),
        (Goal(at_most=100, ratio=15), 90.0, 14.0, False),
        (Goal(at_most=100, ratio=15), 90.0, 15.0, True),
        (Goal(at_most=100, ratio=15), 90.0, None, True),
    ],
)
def test_a_goal_is_met_when_every_part_of_it_is(goal: Goal, ours: float, ratio: float | None, met: bool | None) -> None:
    assert Result("x", ours, "ms", 1, (ours, ours), goal, ratio=ratio).met is met


def test_a_goal_reads_as_it_is_written_in_the_design() -> None:
    assert Goal(at_most=100, ratio=15).text("ms") == "<= 100 ms, >= 15 x"
    assert Goal(at_most=0).text("") == "<= 0"
    assert Goal().text("ms") == ""


def test_figures_have_three_digits() -> None:
    assert [round_to(v) for v in (0.0, 1234.5, 0.0123456)] == [0.0, 1230.0, 0.0123]
    assert [show(v) for v in (27900.0, 1.0, 0.5)] == ["27900", "1", "0.5"]
