"""Who is alive, as racks and a region see it among real name servers: heartbeats, peers, the zone that is pulled."""

import signal
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import dns.message
import dns.query
import pytest

from rackrelay.errors import NotReady
from rackrelay.protocol.heard_document import HeardRack
from tests.dataplane.netns import give
from tests.dataplane.pod import wait_until
from tests.dataplane.room import PROV, REGION_IP, Room, build_room
from tests.dataplane.site import DOMAIN

pytestmark = pytest.mark.dataplane


@pytest.fixture(scope="module")
def room(image_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    """Each test leaves it well."""
    with build_room(image_root, tmp_path_factory.mktemp("room")) as built:
        yield built


@pytest.fixture(autouse=True)
def _leave_it_well(room: Room) -> Iterator[None]:
    yield
    room.wait_until_well()


def took(holds: object, what: str) -> float:
    """Seconds until it is so; shown when the test is run with -rP."""
    begin = time.monotonic()
    wait_until(holds, what, timeout_s=15.0)
    passed = time.monotonic() - begin
    print(f"{what}: {passed:.2f} s")
    return passed


def test_region_hears_both_racks_with_what_they_say(room: Room) -> None:
    heard = room.heard()
    assert heard.full
    assert sorted(heard.racks) == ["rack1", "rack2"]
    status = heard.racks["rack1"].status
    assert status == room.status(room.rack1)
    assert heard.racks["rack1"].serial == room.serial(room.rack1)


def test_poll_without_news_waits_and_says_nothing(room: Room) -> None:
    cursor = room.heard().cursor
    begin = time.monotonic()
    again = room.heard(cursor)
    if again.cursor == cursor:
        assert time.monotonic() - begin > 1.5
        assert not again.racks
    assert not again.full


def test_killed_agent_is_not_heard_at_once_and_heard_again_when_back(room: Room) -> None:
    cursor = room.heard().cursor
    room.rack1.stop_one("agent", kill=True)
    assert took(lambda: not room.beat("rack1").heard, "killed agent is missed") < 5
    assert not room.heard(cursor).racks["rack1"].heard
    room.rack1.start_one("agent")
    took(lambda: room.beat("rack1").heard, "started agent is heard")


def test_hung_agent_is_missed(room: Room) -> None:
    room.rack1.signal("agent", signal.SIGSTOP)
    assert took(lambda: not room.beat("rack1").heard, "hung agent is missed") < 5
    assert room.beat("rack2").heard
    room.rack1.signal("agent", signal.SIGCONT)


def test_rack_that_is_cut_off_is_missed_and_comes_back(room: Room) -> None:
    room.spaces["rack1"].ip("link", "set", "fab0", "down")
    try:
        assert took(lambda: not room.beat("rack1").heard, "cut rack is missed") < 5
        assert room.beat("rack2").heard
    finally:
        room.spaces["rack1"].ip("link", "set", "fab0", "up")
        room.spaces["rack1"].ip("route", "add", "default", "via", REGION_IP)
    took(lambda: room.beat("rack1").heard, "rack is heard again after its cable was mended")


def test_region_that_restarts_hears_all_again_and_says_everything_anew(room: Room) -> None:
    before = room.heard().cursor
    room.region.stop_one("agent", kill=True)
    room.region.start_one("agent")

    def is_back() -> bool:
        try:
            return all(room.beat(node).heard for node in PROV)
        except NotReady:
            return False

    took(is_back, "restarted region hears all")
    after = room.heard(before)
    assert after.full
    assert after.epoch != before.epoch


def test_racks_see_each_other_until_an_interface_goes_down(room: Room) -> None:
    assert room.sees(room.rack1) == dict.fromkeys(PROV["rack2"], True)
    assert room.sees(room.rack2) == dict.fromkeys(PROV["rack1"], True)
    room.spaces["rack2"].ip("link", "set", "prov0", "down")
    try:
        took(lambda: not any(room.sees(room.rack1).values()), "rack1 misses rack2")
        took(lambda: not any(room.sees(room.rack2).values()), "rack2 misses rack1")
        assert room.beat("rack1").heard
        assert room.beat("rack2").heard
        took(lambda: _unheard(room.beat("rack1")) == 2, "the region is told")
    finally:
        room.spaces["rack2"].ip("link", "set", "prov0", "up")
        give(room.spaces["rack2"], "prov0", f"{PROV['rack2'][1]}/64")
    took(lambda: all(room.sees(room.rack1).values()), "rack1 hears rack2 again")


def test_peer_whose_named_is_dead_is_missed(room: Room) -> None:
    room.rack2.stop_one("named", kill=True)
    took(lambda: not any(room.sees(room.rack1).values()), "rack1 misses rack2's named")
    assert room.beat("rack2").heard
    wait_until(lambda: room.beat("rack2").serial is None, "the region knows that rack2 serves no zone")
    room.rack2.start_one("named")


def _unheard(beat: HeardRack) -> int:
    return sum(not peer.heard for peer in beat.status.peers) if beat.status else 0


def test_rack_that_nobody_updates_pulls_the_zone_by_itself(room: Room) -> None:
    serial = room.update("pulled")
    for rack in (room.rack1, room.rack2):
        # Two seconds; twice that on a busy machine.
        assert took(partial(lambda rack: room.serial(rack) == serial, rack), f"{rack.node} has the new zone") < 4
        with rack.namespace.inside():
            answer = dns.query.udp(dns.message.make_query(f"pulled.{DOMAIN}", "A"), rack.ip, timeout=2)
        assert answer.answer[0][0].to_text() == "10.10.0.2"
    wait_until(lambda: room.beat("rack1").serial == serial, "the region hears of it")


def test_rack_that_was_cut_off_pulls_all_that_it_missed(room: Room) -> None:
    room.rack1.signal("agent", signal.SIGSTOP)
    for label in ("missed-1", "missed-2", "missed-3"):
        serial = room.update(label)
    assert room.serial(room.rack1) < serial
    room.rack1.signal("agent", signal.SIGCONT)
    took(lambda: room.serial(room.rack1) == serial, "rack1 has caught up")


def test_agent_stays_small(room: Room) -> None:
    for pod in (room.rack1, room.region):
        fields = dict(
            line.split(":", 1) for line in pod._root_file(f"/proc/{pod.pid('agent')}/status").read_text().splitlines()
        )
        kilobytes = int(fields["VmRSS"].split()[0])
        print(f"agent of {pod.node}: {kilobytes} kB")
        assert kilobytes < 60_000
