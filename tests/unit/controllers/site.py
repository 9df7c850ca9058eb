"""The operator's memory in front of an API server that is a dictionary."""

from typing import Any

from rackrelay.cluster.client import Kind
from rackrelay.controllers.health.sighting import Sighting
from rackrelay.controllers.queue import Queue
from rackrelay.controllers.state.context import Context
from rackrelay.controllers.state.region_state import RegionKeys, ZoneState
from rackrelay.controllers.work import Key
from tests import gen
from tests.fakes.api import FakeClient


async def never(key: Key) -> None:
    """Nobody works at the queue of these tests."""
    raise AssertionError(f"nobody works here: {key}")


class Site(Context):
    """A Context that says what waits in its queue, and takes objects as the watch would bring them."""

    client: FakeClient

    def put(self, kind: Kind, body: gen.Manifest) -> gen.Manifest:
        """An object that exists on the API server and is known."""
        stored = self.client.put(kind, body)
        self.cache.upsert(kind, stored)
        return stored

    def zone_state(self, region: str = "demo") -> ZoneState:
        """The zone as this operator decided and published it last."""
        state = self.regions[(gen.NAMESPACE, region)].zone
        assert state is not None
        return state

    def region_keys(self, region: str = "demo") -> RegionKeys:
        """The keys that this operator has read."""
        keys = self.regions[(gen.NAMESPACE, region)].keys
        assert keys is not None
        return keys

    def track(self) -> None:
        """Look after the servers that there are now."""
        self.health.track(self.inventory.owners())

    def sighting(self, name: str) -> Sighting:
        """What was seen of a server, to be read."""
        found = self.health.find(gen.NAMESPACE, name)
        assert found is not None, name
        return found

    def see(self, name: str, *interfaces: str, serial: int = 1, **status: Any) -> None:
        """A server's DNS has answered a probe, and its agent has said that all is well but for `status`."""
        self.track()
        server = self.sighting(name).server
        self.health.answered(server, serial, self.now())
        self.health.take_status(server, gen.status(*interfaces, **status), self.now())

    def lose(self, name: str, misses: int = 100) -> None:
        """A server has not answered so many probes in a row."""
        sighting = self.sighting(name)
        for _ in range(misses):
            self.health.asked(sighting.server, self.now() - sighting.detection.interval_s)
            self.health.count_misses([sighting], self.now())

    def waiting(self) -> set[str]:
        """What is to be reconciled, now or later, such as `zone demo`; asking empties the queue."""
        keys = {f"{k.work.name} {k.name}" for k in (*self.queue._dirty, *self.queue._timers)}
        for timer in self.queue._timers.values():
            timer.cancel()
        self.queue = Queue(never)
        return keys

    def status(self, kind: str, name: str) -> gen.Manifest:
        """The status that was written."""
        return dict(self.client.objects[(kind, gen.NAMESPACE, name)].get("status", {}))

    def conditions(self, kind: str, name: str) -> dict[str, tuple[str, str]]:
        """Type -> (status, reason)."""
        return {c["type"]: (c["status"], c["reason"]) for c in self.status(kind, name).get("conditions", ())}
