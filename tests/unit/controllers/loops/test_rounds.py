"""When the name servers of a region are asked, by an invented clock."""

import pytest

from rackrelay.controllers.loops.rounds import LONGEST_REST_S, Rounds

FAST, SLOW = ("machines", "fast"), ("machines", "slow")


def turns(rounds: Rounds, intervals_s: dict[tuple[str, str], float], until_s: float) -> list[tuple[float, str]]:
    """(when, which region) for a process that is never late."""
    found, now = [], 0.0
    while now <= until_s:
        found += [(round(now, 2), region[1]) for region in rounds.begin(intervals_s, now)]
        now += max(0.001, rounds.rest_s(now))
    return found


def test_each_region_has_its_own_pace_and_those_of_one_pace_are_asked_together() -> None:
    found = turns(Rounds(), {FAST: 0.1, SLOW: 0.5, ("machines", "also-slow"): 0.5}, 1.0)
    assert [when for when, region in found if region == "fast"] == [round(n / 10, 2) for n in range(11)]
    assert [when for when, region in found if region == "slow"] == [0.0, 0.5, 1.0]
    assert [when for when, region in found if region == "also-slow"] == [0.0, 0.5, 1.0]


def test_region_that_comes_later_is_asked_at_once_and_then_with_the_others() -> None:
    rounds = Rounds()
    rounds.begin({FAST: 0.5}, 10.0)
    assert rounds.begin({FAST: 0.5, SLOW: 0.5}, 10.1) == {SLOW: True}
    assert rounds.begin({FAST: 0.5, SLOW: 0.5}, 10.5) == {FAST: True, SLOW: True}


@pytest.mark.parametrize(("now", "counts"), [(10.25, True), (10.37, True), (10.38, False), (60.0, False)])
def test_misses_of_a_round_that_was_very_late_do_not_count(now: float, counts: bool) -> None:
    rounds = Rounds()
    rounds.begin({FAST: 0.25}, 10.0)
    assert rounds.begin({FAST: 0.25}, now) == {FAST: counts}


def test_who_was_asked_late_has_half_an_interval_to_answer() -> None:
    rounds = Rounds()
    rounds.begin({FAST: 1.0}, 10.0)
    assert rounds.begin({FAST: 1.0}, 11.9) == {FAST: False}
    assert rounds.begin({FAST: 1.0}, 12.0) == {}
    assert rounds.begin({FAST: 1.0}, 13.0) == {FAST: True}


def test_faster_pace_holds_at_once_and_a_slower_one_after_the_next_round() -> None:
    rounds = Rounds()
    rounds.begin({FAST: 5.0}, 10.0)
    assert rounds.begin({FAST: 0.1}, 11.0) == {}
    assert rounds.begin({FAST: 0.1}, 11.11) == {FAST: True}
    assert rounds.begin({FAST: 5.0}, 11.21) == {FAST: True}
    assert rounds.begin({FAST: 5.0}, 14.9) == {}
    assert rounds.begin({FAST: 5.0}, 15.01) == {FAST: True}


def test_rest_ends_with_the_next_turn_and_never_lasts_long() -> None:
    rounds = Rounds()
    assert rounds.rest_s(10.0) == LONGEST_REST_S
    rounds.begin({SLOW: 5.0}, 10.0)
    assert rounds.rest_s(10.0) == LONGEST_REST_S
    assert rounds.rest_s(14.9) == pytest.approx(0.1)
    assert rounds.rest_s(16.0) == 0.0
