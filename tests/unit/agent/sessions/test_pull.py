"""When a rack pulls the zone by itself, by an invented clock."""

from pathlib import Path

from rackrelay.agent.loops import SERIAL_INTERVAL_S
from rackrelay.agent.sessions.heartbeat import Target
from rackrelay.agent.sessions.pull import LAG_S, RETRY_S, Lag, read_key
from rackrelay.nameservers.fanout import ATTEMPTS, TIMEOUT_S
from rackrelay.nameservers.update import TsigKey

A, B = Target("10.96.0.10", 5250), Target("10.96.0.11", 5251)


def test_rack_that_stays_behind_pulls_from_the_newest_region() -> None:
    lag = Lag()
    assert lag.choose_source(7, {A: 8, B: 9}, 100.0) is None
    assert lag.choose_source(7, {A: 8, B: 9}, 100.0 + LAG_S - 0.1) is None
    assert lag.choose_source(7, {A: 8, B: 9}, 100.0 + LAG_S) == B


def test_rack_that_is_brought_up_to_date_in_time_pulls_nothing() -> None:
    lag = Lag()
    assert lag.choose_source(7, {A: 8}, 100.0) is None
    assert lag.choose_source(8, {A: 8}, 100.5) is None
    assert lag.choose_source(8, {A: 9}, 101.2) is None
    assert lag.choose_source(9, {A: 9}, 105.0) is None


def test_pull_is_tried_again_after_a_while_while_it_is_needed() -> None:
    lag = Lag()
    lag.choose_source(7, {A: 8}, 0.0)
    assert lag.choose_source(7, {A: 8}, LAG_S) == A
    assert lag.choose_source(7, {A: 8}, LAG_S + RETRY_S - 0.1) is None
    assert lag.choose_source(7, {A: 8}, LAG_S + RETRY_S) == A


def test_pull_leaves_most_of_two_seconds_for_hearing_of_it_and_for_the_transfer() -> None:
    # The operator sends each UPDATE three times.
    assert TIMEOUT_S * ATTEMPTS < LAG_S <= 1.0
    assert 2 * SERIAL_INTERVAL_S + LAG_S < 1.5


def test_nothing_to_compare_is_nothing_to_pull() -> None:
    lag = Lag()
    for now in (0.0, 10.0):
        assert lag.choose_source(None, {A: 8}, now) is None
        assert lag.choose_source(7, {A: None}, now) is None
        assert lag.choose_source(7, {}, now) is None


def test_key_is_read_when_it_is_mounted(tmp_path: Path) -> None:
    assert read_key(tmp_path) is None
    (tmp_path / "name").write_text("1.demo.site.rackrelay\n")
    (tmp_path / "secret").write_text("c2VjcmV0\n")
    assert read_key(tmp_path) == TsigKey("1.demo.site.rackrelay", "c2VjcmV0")
