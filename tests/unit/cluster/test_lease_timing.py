"""How soon a leader that dies or sleeps is replaced, whenever either of two operators last looked. Time is virtual."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise

import pytest

from rackrelay.cluster.client import Kind
from rackrelay.cluster.lease import Lease
from rackrelay.model.meta import Manifest
from tests.fakes.lease_server import FakeLeaseServer
from tests.fakes.virtual_time import run_virtually

TAKEOVER_S = 4.0
RENEW_S, DEADLINE_S = 1.0, 2.0
# Half of it on the way there: a leader may fall silent while its renewal is under way, or the answer to it.
LATENCY_S = 0.06
STEADY_S = 10.0
# Of the leader's fall within its renewals, and of the follower's start within its polls.
PHASES = [n / 20 for n in range(20)]


def now() -> float:
    return asyncio.get_running_loop().time()


class SlowServer(FakeLeaseServer):
    """A FakeLeaseServer that takes its time; `written`: when, and the holder that was stored. `lost`: the next write's
    request or answer never arrives."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[tuple[float, str]] = []
        self.lost = ""

    async def get(self, kind: Kind, namespace: str, name: str) -> Manifest | None:
        await asyncio.sleep(LATENCY_S / 2)
        found = await super().get(kind, namespace, name)
        await asyncio.sleep(LATENCY_S / 2)
        return found

    async def replace(self, kind: Kind, manifest: Manifest) -> Manifest:
        await self._travel("request")
        stored = await super().replace(kind, manifest)
        await self._travel("answer")
        return stored

    async def _travel(self, what: str) -> None:
        if self.lost == what:
            self.lost = ""
            await asyncio.Event().wait()
        await asyncio.sleep(LATENCY_S / 2)

    def _store(self, manifest: Manifest) -> Manifest:
        self.written.append((now(), manifest["spec"]["holderIdentity"]))
        return super()._store(manifest)

    def times(self, holder: str) -> list[float]:
        """When this one wrote the Lease."""
        return [at for at, who in self.written if who == holder]


@contextmanager
def leading(lease: Lease) -> "Iterator[asyncio.Task[None]]":
    """It seeks the lead and keeps it, until it is cancelled: dead, or asleep without knowing it."""

    async def seek() -> None:
        while True:
            await lease.acquire()
            await lease.keep()

    task = asyncio.create_task(seek())
    try:
        yield task
    finally:
        task.cancel()


def operator(server: SlowServer, name: str) -> Lease:
    return Lease(server, "rackrelay", "rackrelay", name, clock=now)


async def fall(leader_phase: float, follower_phase: float) -> tuple[float, float, float]:
    """When the leader fell, when it had last been heard, and when the other one led."""
    server = SlowServer()
    a, b = operator(server, "a"), operator(server, "b")
    with leading(a) as old:
        await asyncio.sleep(0.5 + follower_phase)
        with leading(b):
            await asyncio.sleep(STEADY_S - now() + leader_phase)
            fell = now()
            old.cancel()
            while not b.leads:
                assert not (a.leads and server.spec()["holderIdentity"] == "b"), "two lead"
                await asyncio.sleep(0.01)
            assert not a.leads, "what sleeps must find on waking that it does not lead"
            return fell, server.times("a")[-1], now()


@pytest.mark.parametrize("leader_phase", PHASES)
def test_leader_that_falls_silent_is_replaced_within_four_seconds(leader_phase: float) -> None:
    for follower_phase in PHASES:
        fell, heard, led = run_virtually(fall(leader_phase, follower_phase))
        assert fell - heard <= RENEW_S + LATENCY_S, "a renewal was left out"
        assert led - heard < TAKEOVER_S, (leader_phase, follower_phase)
        assert led - fell < TAKEOVER_S, (leader_phase, follower_phase)
        assert led - heard > DEADLINE_S, "the one that fell may still have written"


def test_leader_renews_each_second() -> None:
    async def lead() -> list[float]:
        server = SlowServer()
        with leading(operator(server, "a")):
            await asyncio.sleep(60)
            return server.times("a")

    times = run_virtually(lead())
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert gaps == pytest.approx([RENEW_S] * len(gaps), abs=LATENCY_S)
    assert len(gaps) == pytest.approx(60, abs=4)


@pytest.mark.parametrize("lost", ["request", "answer"])
def test_leader_stays_when_one_renewal_is_lost(lost: str) -> None:
    """It is given up in time for a second one before the deadline."""

    async def lead() -> tuple[bool, set[str]]:
        server = SlowServer()
        a, b = operator(server, "a"), operator(server, "b")
        with leading(a):
            await asyncio.sleep(0.5)
            with leading(b):
                await asyncio.sleep(STEADY_S - now())
                server.lost = lost
                led = True
                while now() < STEADY_S + 10:
                    led = led and a.leads
                    await asyncio.sleep(0.01)
                return led and not server.lost, {who for _, who in server.written}

    assert run_virtually(lead()) == (True, {"a"})
