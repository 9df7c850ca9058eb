"""What hearing a thousand racks costs a region's agent: its listener in one process, fake racks in another."""

import asyncio
import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rackrelay.agent.region_loops import SWEEP_INTERVAL_S
from rackrelay.agent.sessions.heard import HeardRacks
from rackrelay.agent.sessions.listener import CARE_INTERVAL_S, Listener
from rackrelay.protocol import frames
from tests.bench.processes import Process
from tests.bench.result import Goal, Result, of_runs
from tests.bench.workshop import Workshop

RACKS = 1000
INTERVAL_S, MISSES = 0.25, 3
KEY, HOST, PORT = b"a key for benches", "127.55.0.9", 5950
WINDOW_S = 5.0
STATUS = json.dumps({"daemons": {name: {"ok": True, "message": ""} for name in "abcd"}, "padding": "x" * 1200})


def run(workshop: Workshop) -> list[Result]:
    """Processor time for each second of beats, by the frames that really arrived, and memory."""
    count = workshop.scale(RACKS, 100)
    with region() as process:
        shares, rss_mb = asyncio.run(_measure(process, count, workshop.runs(3)))
    name = f"region agent hears {count:,} racks, {count / INTERVAL_S:,.0f} beats a second"
    return [
        of_runs(f"{name}: processor", shares, "% of a core", Goal(at_most=50)),
        of_runs(f"{name}: memory of its listener", [rss_mb], "MB", Goal(at_most=50)),
    ]


@contextmanager
def region() -> Iterator[Process]:
    """The listener, in a process of its own."""
    child = subprocess.Popen([sys.executable, "-m", "tests.bench.heartbeats"], cwd=Path(__file__).parents[2])
    try:
        yield Process(child.pid)
    finally:
        child.kill()
        child.wait()


class FakeRack(asyncio.Protocol):
    """A rack that says the same for ever, and its status once. `sent` counts the frames of all."""

    sent = 0

    def __init__(self, number: int) -> None:
        self._prefix = frames.beat_prefix(f"rack{number}", 7)
        self._transport: asyncio.Transport | None = None
        self._nonce = ""
        self._seq = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for the nonce."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """The nonce starts the beats; answers are not looked at."""
        if not self._nonce:
            self._nonce = frames.parse_hello(data)
            self._beat()

    def _beat(self) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        self._seq += 1
        FakeRack.sent += 1
        status = b',"status":' + STATUS.encode() if self._seq == 2 else b""
        body = self._prefix + b"%d" % self._seq + status + b"}"
        self._transport.write(frames.sign_beat(KEY, self._nonce, self._seq, body))
        asyncio.get_running_loop().call_later(INTERVAL_S, self._beat)


async def _measure(process: Process, count: int, runs: int) -> tuple[list[float], float]:
    _allow_files()
    transports = [await _connect(number) for number in range(count)]
    await asyncio.sleep(2 * INTERVAL_S)
    shares = []
    for _ in range(runs):
        sent, used = FakeRack.sent, process.cpu_s()
        await asyncio.sleep(WINDOW_S)
        per_frame_s = (process.cpu_s() - used) / (FakeRack.sent - sent)
        # On a busy machine fewer beats are sent than wanted; what one costs is known all the same.
        shares.append(100 * per_frame_s * count / INTERVAL_S)
    for transport in transports:
        transport.abort()
    await asyncio.sleep(0)
    return shares, process.rss_mb()


async def _connect(number: int) -> asyncio.Transport:
    end = time.monotonic() + 30
    while True:
        try:
            transport, _ = await asyncio.get_running_loop().create_connection(lambda: FakeRack(number), HOST, PORT)
            return transport
        except OSError:
            if time.monotonic() > end:
                raise
            await asyncio.sleep(0.1)


async def _hear() -> None:
    _allow_files()
    loop = asyncio.get_running_loop()
    heard = HeardRacks("bench")
    listener = Listener(heard, lambda: KEY, lambda: 7, loop.time)
    serving = asyncio.create_task(listener.serve(HOST, PORT))
    cared_at = loop.time()
    while not serving.done():
        heard.sweep(loop.time(), INTERVAL_S, MISSES)
        if loop.time() - cared_at > CARE_INTERVAL_S:
            cared_at = loop.time()
            await listener.look_after()
        await asyncio.sleep(SWEEP_INTERVAL_S)
    await serving


def _allow_files() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 16384), hard))


if __name__ == "__main__":
    asyncio.run(_hear())
