"""spec.failureDetection among real agents: how soon a silent rack is missed, and that a change of it misses nobody."""

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rackrelay.model.detection import FailureDetection
from tests.dataplane.pod import wait_until
from tests.dataplane.room import PROV, Room, build_room

pytestmark = pytest.mark.dataplane

FAST, USUAL, SLOW = FailureDetection(0.1, 2), FailureDetection(), FailureDetection(1.0, 4)
# Longer than the faster of two paces allows, several times over.
WATCHED_S = 4.0


@pytest.fixture(scope="module")
def room(image_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    with build_room(image_root, tmp_path_factory.mktemp("room")) as built:
        yield built


@pytest.fixture(autouse=True)
def _leave_it_well(room: Room) -> Iterator[None]:
    yield
    room.configure_region(USUAL)
    room.configure_racks(USUAL)
    room.wait_until_well()


def seconds_until_missed(room: Room) -> float:
    """How long after its agent hangs the region says that it does not hear rack1."""
    room.rack1.signal("agent", signal.SIGSTOP)
    begin = time.monotonic()
    try:
        wait_until(lambda: not room.beat("rack1").heard, "hung agent is missed", timeout_s=30.0)
        return time.monotonic() - begin
    finally:
        room.rack1.signal("agent", signal.SIGCONT)


def test_slow_pace_misses_a_silent_rack_later_and_a_fast_one_sooner(room: Room) -> None:
    took = {}
    for name, detection in (("slow", SLOW), ("fast", FAST)):
        room.configure_racks(detection)
        room.configure_region(detection)
        room.wait_until_applied()
        # The frames of the pace before have all been sent.
        time.sleep(2 * SLOW.interval_s)
        room.wait_until_well()
        took[name] = seconds_until_missed(room)
        room.wait_until_well()
    print(took)
    assert took["slow"] > SLOW.patience_s - 2 * SLOW.interval_s
    assert took["fast"] < 2.0


@pytest.mark.parametrize(
    ("racks", "region"),
    [(SLOW, USUAL), (USUAL, SLOW), (SLOW, FAST), (FAST, SLOW)],
    ids=[
        "racks are slower already",
        "region is slower already",
        "region is faster already",
        "racks are faster already",
    ],
)
def test_nobody_is_missed_while_one_side_knows_of_a_change_already(
    room: Room, racks: FailureDetection, region: FailureDetection
) -> None:
    cursor = room.heard().cursor
    room.configure_racks(racks)
    time.sleep(1.0)
    room.configure_region(region)
    end = time.monotonic() + WATCHED_S
    while time.monotonic() < end:
        heard = room.heard(cursor)
        assert all(beat.heard for beat in heard.racks.values()), heard
        cursor = heard.cursor
    assert sorted(room.heard().racks) == sorted(PROV)


def test_peers_are_missed_at_the_same_pace(room: Room) -> None:
    room.configure_racks(FailureDetection(1.0, 3))
    room.wait_until_applied()
    time.sleep(2.0)
    room.rack2.stop_one("named", kill=True)
    begin = time.monotonic()
    try:
        wait_until(lambda: not any(room.sees(room.rack1).values()), "rack1 misses rack2's named", timeout_s=30.0)
        assert time.monotonic() - begin > 3.0
    finally:
        room.rack2.start_one("named")
