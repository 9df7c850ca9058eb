"""Heartbeat sessions over loopback: rack and region as they are, and strangers of several kinds."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial

import pytest

from rackrelay.agent.sessions import heartbeat as module
from rackrelay.agent.sessions import listener
from rackrelay.agent.sessions.heard import HeardRacks
from rackrelay.agent.sessions.heartbeat import Backoff, Heartbeat, Sessions, Target
from rackrelay.agent.sessions.listener import Listener
from rackrelay.protocol import frames

KEY, HOST = b"agent key", "127.55.0.2"


@dataclass
class Region:
    """A listener on a port of its own, and the time as it sees it."""

    port: int
    key: bytes = KEY
    serial: int | None = 7
    late_s: float = 0.0
    heard: HeardRacks = field(default_factory=lambda: HeardRacks("e1"))
    listener: Listener = field(init=False)

    def __post_init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.listener = Listener(self.heard, lambda: self.key, lambda: self.serial, lambda: loop.time() + self.late_s)

    @property
    def target(self) -> Target:
        """Where racks reach it."""
        return Target(HOST, self.port)


@asynccontextmanager
async def listening(region: Region) -> AsyncIterator[Region]:
    """The region listens meanwhile."""
    task = asyncio.create_task(region.listener.serve(HOST, region.port))
    await asyncio.sleep(0.05)
    try:
        yield region
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
async def region(unused_tcp_port: int) -> AsyncIterator[Region]:
    async with listening(Region(unused_tcp_port)) as region:
        yield region


def build_heartbeat(node: str = "rack1", key: bytes = KEY) -> Heartbeat:
    """A rack that beats fast."""
    return Heartbeat(node, lambda: key, interval_s=0.02, serial=5, status=b'{"a":1}')


@asynccontextmanager
async def beating(heartbeat: Heartbeat, *targets: Target) -> AsyncIterator[Sessions]:
    """The rack beats meanwhile."""
    said: list[str] = []
    sessions = Sessions(heartbeat, said.append)
    sessions.follow(targets)
    try:
        yield sessions
    finally:
        tasks = list(sessions._tasks.values())
        sessions.follow(())
        await asyncio.gather(*tasks, return_exceptions=True)


async def eventually(holds: Callable[[], object]) -> None:
    """Wait until it is so."""
    async with asyncio.timeout(5):
        while not holds():  # noqa: ASYNC110 - what is waited for signals nothing
            await asyncio.sleep(0.01)


async def greet(region: Region) -> tuple[asyncio.StreamReader, asyncio.StreamWriter, str]:
    """A connection by hand, and the region's nonce."""
    reader, writer = await asyncio.open_connection(HOST, region.port)
    return reader, writer, frames.parse_hello(await reader.readline())


def sweep(region: Region, interval_s: float) -> None:
    """What the region does all the time; the first of the two finds that it was away for long."""
    for _ in range(2):
        region.heard.sweep(region.listener.clock(), interval_s, misses=3)


def is_heard(region: Region, node: str = "rack1") -> bool:
    """Whether the region hears the rack."""
    return node in region.heard.racks and region.heard.racks[node].heard


async def test_region_hears_the_rack_and_the_rack_learns_the_regions_serial(region: Region) -> None:
    heartbeat = build_heartbeat()
    async with beating(heartbeat, region.target):
        await eventually(lambda: is_heard(region) and heartbeat.answered == {region.target: 7})
        await eventually(lambda: region.heard.racks["rack1"].status == b'{"a":1}')
        region.serial, heartbeat.serial, heartbeat.status = 8, 6, b'{"a":2}'
        await eventually(lambda: heartbeat.answered == {region.target: 8})
        await eventually(lambda: json.loads(region.heard.racks["rack1"].entry.partition(b":")[2])["serial"] == 6)
        await eventually(lambda: region.heard.racks["rack1"].status == b'{"a":2}')
    await eventually(lambda: not is_heard(region))


async def test_beats_without_news_change_nothing(region: Region) -> None:
    async with beating(build_heartbeat(), region.target):
        await eventually(lambda: is_heard(region) and region.heard.racks["rack1"].status != b"null")
        rack, version = region.heard.racks["rack1"], region.heard.version
        last = rack.last
        await eventually(lambda: rack.last > last)
        assert region.heard.version == version


async def test_rack_comes_back_to_a_region_that_was_restarted(
    region: Region, unused_tcp_port_factory: Callable[[], int]
) -> None:
    later = Region(unused_tcp_port_factory())
    heartbeat = build_heartbeat()
    async with beating(heartbeat, later.target, region.target):
        await eventually(lambda: heartbeat.answered == {region.target: 7})
        async with listening(later):
            await eventually(lambda: is_heard(later) and len(heartbeat.answered) == 2)
        await eventually(lambda: heartbeat.answered == {region.target: 7})
        async with listening(later):
            await eventually(lambda: is_heard(later))


async def test_key_that_is_mounted_later(region: Region) -> None:
    keys = {"rack": b"", "region": b""}
    region.listener.key = lambda: keys["region"]
    heartbeat = build_heartbeat()
    heartbeat.key = lambda: keys["rack"]
    async with beating(heartbeat, region.target):
        await asyncio.sleep(0.1)
        keys["rack"] = KEY
        await asyncio.sleep(0.1)
        assert not region.heard.racks
        keys["region"] = KEY
        await eventually(lambda: is_heard(region))


async def test_rack_with_another_key_is_not_heard(region: Region) -> None:
    heartbeat = build_heartbeat(key=b"another")
    async with beating(heartbeat, region.target):
        await asyncio.sleep(0.3)
    assert not region.heard.racks
    assert not heartbeat.answered


async def test_replayed_frame_ends_the_session(region: Region) -> None:
    reader, writer, nonce = await greet(region)
    frame = frames.sign_beat(KEY, nonce, 1, frames.beat_prefix("rack1", 5) + b"1}")
    writer.write(frame)
    assert b'"serial":7' in await reader.readline()
    writer.write(frame)
    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        await reader.readexactly(1)
    assert not is_heard(region)
    writer.close()


async def test_session_of_yesterday_cannot_be_played_again(region: Region) -> None:
    _, first, nonce = await greet(region)
    reader, second, _ = await greet(region)
    second.write(frames.sign_beat(KEY, nonce, 1, frames.beat_prefix("rack1", 5) + b"1}"))
    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        await reader.readexactly(1)
    assert not region.heard.racks
    for writer in (first, second):
        writer.close()


@pytest.mark.parametrize("size", [frames.GREETING_LIMIT_BYTES + 1, frames.FRAME_LIMIT_BYTES + 1])
@pytest.mark.parametrize("ends", [b"", b"\n"])
async def test_frame_that_is_too_long_ends_the_session(region: Region, size: int, ends: bytes) -> None:
    reader, writer, _ = await greet(region)
    writer.write(b"x" * size + ends)
    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        await reader.readexactly(1)
    writer.close()


async def test_later_session_of_a_rack_speaks_for_it(region: Region) -> None:
    async with beating(build_heartbeat(), region.target):
        await eventually(lambda: is_heard(region))
        async with beating(build_heartbeat(), region.target):
            await eventually(lambda: len(region.listener.sessions) == 1)
            assert is_heard(region)


async def test_who_says_nothing_is_sent_away(region: Region) -> None:
    _, mute, _ = await greet(region)
    async with beating(build_heartbeat(), region.target):
        await eventually(lambda: is_heard(region))
        region.late_s = listener.GREETING_TIMEOUT_S + 1
        await asyncio.sleep(0.1)
        await region.listener.look_after()
        assert (len(region.listener.strangers), len(region.listener.sessions)) == (0, 1)
    mute.close()


async def test_idle_session_is_closed(region: Region) -> None:
    _, writer, nonce = await greet(region)
    writer.write(frames.sign_beat(KEY, nonce, 1, frames.beat_prefix("rack1", 5) + b"1}"))
    await eventually(lambda: is_heard(region))
    region.late_s = listener.IDLE_TIMEOUT_S + 1
    sweep(region, interval_s=0.25)
    await region.listener.look_after()
    assert not region.listener.sessions
    assert not is_heard(region)
    writer.close()


async def test_session_at_a_slow_pace_is_not_idle_while_its_rack_is_heard(region: Region) -> None:
    heartbeat = build_heartbeat()
    heartbeat.interval_s = 5.0
    async with beating(heartbeat, region.target):
        await eventually(lambda: is_heard(region))
        for region.late_s, sessions in ((listener.IDLE_TIMEOUT_S + 1, 1), (20.0, 0)):
            sweep(region, interval_s=0.25)
            await region.listener.look_after()
            assert (len(region.listener.sessions), is_heard(region)) == (sessions, bool(sessions))


def has_beaten_since(region: Region, last: float) -> bool:
    return region.heard.racks["rack1"].last > last


async def test_rack_says_at_which_pace_it_beats_and_when_that_changes(region: Region) -> None:
    heartbeat = build_heartbeat()
    async with beating(heartbeat, region.target):
        for interval_s in (0.02, 0.03, 0.01):
            heartbeat.interval_s = interval_s
            await eventually(
                lambda: is_heard(region) and region.heard.racks["rack1"].interval_s == heartbeat.interval_s
            )
            await eventually(partial(has_beaten_since, region, region.heard.racks["rack1"].last))
        assert len(region.listener.sessions) == 1


async def test_rack_at_a_slow_pace_waits_for_its_answers(region: Region, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ANSWER_TIMEOUT_S", 0.1)
    heartbeat = build_heartbeat()
    heartbeat.interval_s = 0.3
    async with beating(heartbeat, region.target):
        await eventually(lambda: is_heard(region))
        (session,) = region.listener.sessions
        last = region.heard.racks["rack1"].last
        # What is faster from now on is so once the long rest is over.
        heartbeat.interval_s = 0.02
        await eventually(lambda: region.heard.racks["rack1"].last > last)
        assert list(region.listener.sessions) == [session]


async def test_session_that_floods_is_closed(region: Region) -> None:
    async with beating(build_heartbeat(), region.target):
        await eventually(lambda: is_heard(region))
        session = next(iter(region.listener.sessions))
        session._frames = listener.FRAMES_LIMIT + 1
        await region.listener.look_after()
        assert session not in region.listener.sessions


async def test_strangers_make_room_for_each_other_and_not_racks(
    region: Region, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener, "STRANGERS_LIMIT", 3)
    async with beating(build_heartbeat(), region.target):
        await eventually(lambda: is_heard(region))
        opened = [await greet(region) for _ in range(6)]
        assert len(region.listener.strangers) == 3
        assert is_heard(region)
    for _, writer, _ in opened:
        writer.close()


async def test_hundreds_of_reconnects_leave_nothing_behind(region: Region) -> None:
    for number in range(300):
        _, writer, nonce = await greet(region)
        writer.write(frames.sign_beat(KEY, nonce, 1, frames.beat_prefix(f"rack{number % 7}", 5) + b"1}"))
        await writer.drain()
        writer.close()
    await eventually(lambda: not region.listener.sessions and not region.listener.strangers)
    assert len(region.heard.racks) == 7


async def test_region_that_hangs_does_not_delay_the_others(
    region: Region, unused_tcp_port_factory: Callable[[], int]
) -> None:
    port, over = unused_tcp_port_factory(), asyncio.Event()

    async def hang(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await over.wait()
        writer.close()

    server = await asyncio.start_server(hang, HOST, port)
    heartbeat = build_heartbeat()
    async with beating(heartbeat, Target(HOST, port), region.target):
        await eventually(lambda: heartbeat.answered == {region.target: 7})
        assert is_heard(region)
    over.set()
    server.close()
    await server.wait_closed()


def test_backoff_grows_and_is_bounded_and_random() -> None:
    backoff = Backoff()
    waits = [backoff.next() for _ in range(20)]
    assert 0.1 <= waits[0] <= 0.2
    assert all(1.0 <= wait <= 2.0 for wait in waits[5:])
    assert len(set(waits)) > 10
    backoff.reset()
    assert backoff.next() <= 0.2


def heard_pace(region: Region) -> float:
    """Seconds between two frames, as the rack says it."""
    return region.heard.racks["rack1"].interval_s
