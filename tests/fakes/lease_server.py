"""A Client that keeps one Lease in memory, and the clock that its holders go by."""

import asyncio
import copy

from rackrelay.cluster.client import Client, Kind
from rackrelay.errors import ClusterError, Conflict
from rackrelay.model.meta import Manifest


class FakeClock:
    """Stands until somebody sets it forward."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class FakeLeaseServer(Client):
    """One Lease with its resourceVersion. `fail`: no answer. `lose_answers`: so many writes are done all the same."""

    def __init__(self) -> None:
        self.lease: Manifest | None = None
        self.fail = False
        self.lose_answers = 0
        self.reads, self.writes = 0, 0
        self.hang = asyncio.Event()
        self.hang.set()

    async def get(self, kind: Kind, namespace: str, name: str) -> Manifest | None:
        await self._answer()
        self.reads += 1
        return copy.deepcopy(self.lease)

    async def create(self, kind: Kind, manifest: Manifest) -> Manifest | None:
        await self._answer()
        return None if self.lease else self._store(manifest)

    async def replace(self, kind: Kind, manifest: Manifest) -> Manifest:
        await self._answer()
        if self.lease is None:
            raise ClusterError("not found", 404)
        if manifest["metadata"]["resourceVersion"] != self.lease["metadata"]["resourceVersion"]:
            raise Conflict("the object has been modified")
        return self._store(manifest)

    def spec(self) -> Manifest:
        assert self.lease is not None
        return dict(self.lease["spec"])

    def edit(self, **spec: object) -> None:
        """Somebody else writes it."""
        assert self.lease is not None
        self._store({**self.lease, "spec": {**self.lease["spec"], **spec}})

    def _store(self, manifest: Manifest) -> Manifest:
        self.writes += 1
        self.lease = copy.deepcopy(manifest)
        self.lease["metadata"]["resourceVersion"] = str(self.writes)
        if self.lose_answers:
            self.lose_answers -= 1
            raise ClusterError("connection reset by peer")
        return copy.deepcopy(self.lease)

    async def _answer(self) -> None:
        await self.hang.wait()
        if self.fail:
            raise ClusterError("the API server does not answer")
