"""The queue: one worker per key, again if it changed meanwhile, later if it failed."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import pytest

from rackrelay.controllers import queue as module
from rackrelay.controllers import work
from rackrelay.controllers.queue import Queue
from rackrelay.controllers.work import Key, Lane
from rackrelay.errors import ClusterError, NotLeading, NotReady

A, B = Key(work.ZONE, "machines", "a"), Key(work.ZONE, "machines", "b")


@asynccontextmanager
async def workers(queue: Queue, count: int = 3) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(queue.work(Lane.OWN)) for _ in range(count)]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not holds():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.005)


class Reconciler:
    """Notes what is reconciled; `gate` holds it up, `errors` are raised one after the other."""

    def __init__(self, *errors: Exception) -> None:
        self.seen: list[Key] = []
        self.running: list[Key] = []
        self.together = 0
        self.errors = list(errors)
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self, key: Key) -> None:
        assert key not in self.running, "two workers at one key"
        self.seen.append(key)
        self.running.append(key)
        self.together = max(self.together, len(self.running))
        try:
            await self.gate.wait()
            if self.errors:
                raise self.errors.pop(0)
        finally:
            self.running.remove(key)


async def test_keys_are_reconciled_in_order_and_once() -> None:
    reconciler = Reconciler()
    queue = Queue(reconciler)
    for key in (A, B, A, A):
        queue.add(key)
    async with workers(queue, 1):
        await until(lambda: len(reconciler.seen) == 2)
        await asyncio.sleep(0.02)
    assert reconciler.seen == [A, B]


async def test_zones_go_before_everything_else() -> None:
    reconciler = Reconciler()
    queue = Queue(reconciler)
    subnets = [Key(work.SUBNET, "machines", str(number)) for number in range(500)]
    for key in (*subnets, A, Key(work.RACK, "machines", "a"), B):
        queue.add(key)
    async with workers(queue, 1):
        await until(lambda: len(reconciler.seen) == 503)
    assert reconciler.seen == [A, B, *subnets, Key(work.RACK, "machines", "a")]


async def test_others_have_their_turn_between_two_keys() -> None:
    """Hundreds of Subnets that need nothing wait for nothing either."""
    reconciler = Reconciler()
    queue = Queue(reconciler)
    for number in range(100):
        queue.add(Key(work.SUBNET, "machines", f"s{number}"))
    async with workers(queue, count=1):
        for turn in range(10):
            await asyncio.sleep(0)
            assert len(reconciler.seen) <= turn + 1
    assert reconciler.seen


async def test_key_that_changes_while_it_is_reconciled_is_reconciled_again_by_one_worker() -> None:
    reconciler = Reconciler()
    reconciler.gate.clear()
    queue = Queue(reconciler)
    queue.add(A)
    async with workers(queue):
        await until(lambda: reconciler.running == [A])
        for _ in range(3):
            queue.add(A)
        await asyncio.sleep(0.02)
        assert reconciler.seen == [A]
        reconciler.gate.set()
        await until(lambda: len(reconciler.seen) == 2)
        await asyncio.sleep(0.02)
    assert reconciler.seen == [A, A]


async def test_different_keys_run_at_once() -> None:
    reconciler = Reconciler()
    reconciler.gate.clear()
    queue = Queue(reconciler)
    queue.add(A)
    queue.add(B)
    async with workers(queue):
        await until(lambda: len(reconciler.running) == 2)
        reconciler.gate.set()
        await until(lambda: not reconciler.running)
    assert reconciler.together == 2


@pytest.mark.parametrize(
    "error", [ClusterError("no answer"), NotReady("not yet"), NotLeading("no more"), KeyError("a bug")]
)
async def test_failed_key_comes_again_and_others_go_on(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FIRST_DELAY_S", 0.01)
    reconciler = Reconciler(error)
    queue = Queue(reconciler)
    queue.add(A)
    queue.add(B)
    async with workers(queue, 1):
        await until(lambda: len(reconciler.seen) == 3)
    assert reconciler.seen == [A, B, A]


async def test_delay_doubles_up_to_a_limit_and_is_forgotten_after_success() -> None:
    queue = Queue(Reconciler())
    delays = [queue._retry(A) for _ in range(12)]
    for delay, nominal in zip(delays, [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30, 30, 30, 30], strict=True):
        assert 0.8 * nominal <= delay <= 1.2 * nominal
    await queue._attempt(A)
    assert queue._retry(A) <= 0.24


async def test_add_later() -> None:
    reconciler = Reconciler()
    queue = Queue(reconciler)
    queue.add_later(A, 0.02)
    async with workers(queue):
        assert reconciler.seen == []
        await until(lambda: reconciler.seen == [A])


def test_key_reads_well_in_a_log() -> None:
    assert str(A) == "zone machines/a"
