"""A keyed work queue: one worker at a time for each key, again if it changed meanwhile, later if it failed."""

import asyncio
import itertools
import logging
import random
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field

from rackrelay.controllers.work import Key, Lane, Work
from rackrelay.errors import NotLeading, NotReady, RackrelayError

FIRST_DELAY_S = 0.2
MAX_DELAY_S = 30.0

logger = logging.getLogger(__name__)


@dataclass
class Queue:
    """Dirty keys wait in the lane of their work, by priority and then in the order in which they came.

    `reconcile` is awaited with one key.
    """

    reconcile: Callable[[Key], Awaitable[None]]
    _waiting: defaultdict[Lane, asyncio.PriorityQueue[tuple[int, int, Key]]] = field(
        default_factory=lambda: defaultdict(asyncio.PriorityQueue)
    )
    _numbers: Iterator[int] = field(default_factory=itertools.count)
    _dirty: set[Key] = field(default_factory=set)
    _processing: set[Key] = field(default_factory=set)
    _failures: dict[Key, int] = field(default_factory=dict)
    _timers: dict[Key, asyncio.TimerHandle] = field(default_factory=dict)

    def add(self, key: Key) -> None:
        """Have a key reconciled; one that waits already is not doubled."""
        if key in self._dirty:
            return
        self._dirty.add(key)
        if key not in self._processing:
            self._wait(key)

    def counts(self) -> tuple[Counter[Work], Counter[Work]]:
        """By their work: the keys that wait for a worker, and those whose last reconcile failed."""
        return Counter(key.work for key in self._dirty), Counter(key.work for key in self._failures)

    def add_later(self, key: Key, delay_s: float) -> None:
        """Have a key reconciled after a while, or sooner when it is due sooner already: timers do not pile up."""
        loop = asyncio.get_running_loop()
        timer = self._timers.get(key)
        if timer is not None and timer.when() <= loop.time() + delay_s:
            return
        if timer is not None:
            timer.cancel()
        self._timers[key] = loop.call_later(delay_s, self._due, key)

    def _due(self, key: Key) -> None:
        del self._timers[key]
        self.add(key)

    def _wait(self, key: Key) -> None:
        self._waiting[key.work.lane].put_nowait((key.work.priority, next(self._numbers), key))

    async def work(self, lane: Lane) -> None:
        """Reconcile the keys of a lane for ever. Several of these may run at once."""
        while True:
            _, _, key = await self._waiting[lane].get()
            self._dirty.discard(key)
            self._processing.add(key)
            try:
                await self._attempt(key)
            finally:
                self._processing.discard(key)
                if key in self._dirty:
                    self._wait(key)
            # Most keys need nothing and wait for nothing: probes would be late by all of them together.
            await asyncio.sleep(0)

    async def _attempt(self, key: Key) -> None:
        try:
            await self.reconcile(key)
            self._failures.pop(key, None)
        except RackrelayError as error:
            delay_s = self._retry(key)
            level = logging.DEBUG if isinstance(error, (NotLeading, NotReady)) else logging.WARNING
            logger.log(level, "%s: %s; again in %.1f s", key, error, delay_s)
        except Exception:
            delay_s = self._retry(key)
            logger.exception("%s: unexpected error; again in %.1f s", key, delay_s)

    def _retry(self, key: Key) -> float:
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        delay_s = min(MAX_DELAY_S, FIRST_DELAY_S * 2.0 ** min(failures, 16)) * random.uniform(0.8, 1.2)  # noqa: S311
        self.add_later(key, delay_s)
        return delay_s
