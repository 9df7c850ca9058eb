"""Operators that share one API server and the same name servers, all in memory, and can be stopped at any request.

A request has two points: before it arrives, and before its answer does. An operator that is stopped at one of them goes
no further anywhere until it is resumed, as a process that was paused.
"""

import asyncio
from collections.abc import Callable, Collection
from contextvars import ContextVar
from typing import Any

import pytest

from rackrelay.cluster.cache import Cache
from rackrelay.cluster.client import Kind
from rackrelay.controllers.health.rack_health import RackHealth
from rackrelay.controllers.kinds import KINDS, parsers
from rackrelay.controllers.publish import repairs
from rackrelay.controllers.queue import Queue
from rackrelay.errors import NotLeading
from rackrelay.model.meta import Manifest
from rackrelay.nameservers import push
from rackrelay.nameservers.datagrams import Place
from rackrelay.nameservers.server import NameServer
from rackrelay.nameservers.update import TsigKey
from rackrelay.process.settings import Settings
from rackrelay.zone.plan import Zone
from tests import gen
from tests.fakes.api import FakeClient
from tests.fakes.name_server import FakeNameServer
from tests.unit.controllers.site import Site, never

Servers = dict[Place, FakeNameServer]

_running: ContextVar["Pace"] = ContextVar("running")


class Pace:
    """Counts the points that one operator passes; at `stop_at` it stops until `resume`."""

    def __init__(self, stop_at: int | None = None) -> None:
        self.points = 0
        self.stop_at = stop_at
        self.stopped = asyncio.Event()
        self._go = asyncio.Event()
        self._go.set()

    async def pass_point(self) -> None:
        """Returns at once, or when the operator is resumed."""
        self.points += 1
        if self.points == self.stop_at:
            self._go.clear()
            self.stopped.set()
        await self._go.wait()

    def resume(self) -> None:
        """It wakes and does not know that it slept."""
        self._go.set()


class WatchedClient(FakeClient):
    """An API server that remembers what each object was, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.history: list[Manifest] = []

    def put(self, kind: Kind, manifest: Manifest) -> Manifest:
        stored = super().put(kind, manifest)
        self.history.append({**stored, "kind": kind.name})
        return stored


class PacedClient(FakeClient):
    """One operator's connection to an API server that others use too."""

    def __init__(self, server: FakeClient, pace: Pace) -> None:
        super().__init__()
        self._server, self._pace = server, pace
        self.objects = server.objects

    def put(self, kind: Kind, manifest: Manifest) -> Manifest:
        return self._server.put(kind, manifest)

    async def get(self, kind: Kind, namespace: str, name: str) -> Manifest | None:
        await self._pace.pass_point()
        found = await super().get(kind, namespace, name)
        await self._pace.pass_point()
        return found

    async def create(self, kind: Kind, manifest: Manifest) -> Manifest | None:
        await self._pace.pass_point()
        self.fence()
        made = await super().create(kind, manifest)
        await self._pace.pass_point()
        return made

    async def apply(self, kind: Kind, manifest: Manifest, subresource: str = "") -> Manifest:
        await self._pace.pass_point()
        self.fence()
        written = await super().apply(kind, manifest, subresource)
        await self._pace.pass_point()
        return written


class Operator:
    """One operator; `run` is what it does, under its own pace."""

    def __init__(self, server: FakeClient, agents: Any, stop_at: int | None = None) -> None:
        self.pace = Pace(stop_at)
        self.site = Site(
            settings=Settings("rackrelay/dataplane:test", (gen.NAMESPACE,)),
            client=PacedClient(server, self.pace),
            cache=Cache(parsers()),
            queue=Queue(never),
            health=RackHealth(),
            agents=agents,
            kinds=KINDS,
        )

    def start(self, work: Callable[[], Any]) -> "asyncio.Task[None]":
        """The work, in a task whose requests pass this operator's points."""

        async def run() -> None:
            _running.set(self.pace)
            await work()

        return asyncio.create_task(run())

    def depose(self) -> None:
        """From now on it finds that another leads."""

        def refuse() -> float:
            raise NotLeading("another leads")

        self.site.client.fence = refuse


async def end(operator: Operator, task: "asyncio.Task[None]") -> None:
    """It is gone, and so is what it had begun beside."""
    task.cancel()
    beside = [repair.task for state in operator.site.regions.values() for repair in state.repairs.values()]
    for repair in beside:
        repair.cancel()
    await asyncio.gather(task, *beside, return_exceptions=True)


def connect(monkeypatch: pytest.MonkeyPatch, servers: Servers) -> None:
    """Messages to name servers go to these, without a network."""

    async def ask_tcp(wire: bytes, server: NameServer, timeout_s: float) -> bytes:
        return await _ask(wire, (server.address, server.port))

    async def ask_all(wire: bytes, places: Collection[Place], fence: Callable[[], object]) -> dict[Place, bytes]:
        answers = {}
        for place in sorted(places):
            fence()
            answers[place] = await _ask(wire, place)
        return answers

    async def _ask(wire: bytes, place: Place) -> bytes:
        pace = _running.get()
        await pace.pass_point()
        (answer,) = servers[place]._answers(wire)
        await pace.pass_point()
        return answer

    async def transfer(server: NameServer, domain: str, key: TsigKey) -> Zone:
        pace = _running.get()
        await pace.pass_point()
        zone = servers[(server.address, server.port)].zone
        await pace.pass_point()
        return zone

    for name, fake in (("ask_tcp", ask_tcp), ("ask_all", ask_all), ("transfer", transfer)):
        monkeypatch.setattr(push, name, fake)
    # Who is stopped sleeps longer than that, and must not go on meanwhile.
    monkeypatch.setattr(repairs, "PATIENCE_S", 60.0)
