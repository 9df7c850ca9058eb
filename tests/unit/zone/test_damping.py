"""When a rack that failed counts as healthy again."""

from hypothesis import given
from hypothesis import strategies as st

from rackrelay.zone.damping import FIRST_HOLD_S, MAX_HOLD_S, WINDOW_S, DampingState, damp, record
from rackrelay.zone.evidence import Judgement, Tier

GOOD = Judgement(Tier.HEALTHY)
DEAD = Judgement(Tier.UNREACHABLE, "NoAnswer", "silent")
DRAINED = Judgement(Tier.DRAINED, "Drained", "drained")


def live(history: list[tuple[float, Judgement]]) -> DampingState:
    past = DampingState()
    for moment, judged in history:
        past = record(past, judged, moment)
    return past


def test_new_rack_counts_at_once() -> None:
    past = live([(0, DEAD), (1, GOOD)])
    assert damp(past, GOOD, 1) == GOOD


def test_fall_counts_at_once_and_return_after_the_hold() -> None:
    past = live([(0, GOOD), (10, DEAD), (20, GOOD)])
    assert damp(past, DEAD, 10) == DEAD
    assert damp(past, GOOD, 20).reason == "Recovering"
    assert damp(past, GOOD, 20 + FIRST_HOLD_S) == GOOD


def test_return_that_was_not_observed_yet_does_not_count() -> None:
    past = live([(0, GOOD), (10, DEAD)])
    assert damp(past, GOOD, 10.1).reason == "Recovering"


def test_each_fall_doubles_the_hold_up_to_a_minute() -> None:
    past, holds = DampingState(), []
    for fall in range(8):
        past = record(record(past, GOOD, fall), DEAD, fall + 0.5)
        holds.append(past.hold_s)
    assert holds == [2, 4, 8, 16, 32, 60, 60, 60]


def test_old_falls_are_forgiven() -> None:
    past = live([(0, GOOD), (1, DEAD), (2, GOOD), (WINDOW_S + 2, GOOD)])
    assert past.falls == ()


def test_drain_is_no_fall() -> None:
    past = live([(0, GOOD), (1, DRAINED), (2, GOOD)])
    assert damp(past, GOOD, 2) == GOOD


@given(st.lists(st.tuples(st.floats(0.01, 5), st.booleans()), min_size=1, max_size=60))
def test_flapping_rack_never_returns_before_its_hold(steps: list[tuple[float, bool]]) -> None:
    past, now, good_since = DampingState(), 0.0, None
    for pause_s, good in steps:
        now += pause_s
        judged = GOOD if good else DEAD
        past = record(past, judged, now)
        good_since = (now if good_since is None else good_since) if good else None
        acted = damp(past, judged, now)
        assert past.hold_s <= MAX_HOLD_S
        if acted.tier is Tier.HEALTHY:
            assert good_since is not None
            assert now - good_since >= past.hold_s
