"""Which racks this region replica hears, for the operator to ask: GET /heard?since=<version>. The clock is an argument.

Every change has a number, the version; who knows the version of its last answer gets what changed since.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from rackrelay.protocol.frames import Beat
from rackrelay.protocol.heard_document import Cursor, build_heard, build_heard_rack, read_heard_query

# Changes come in bursts (a thousand racks apply one UPDATE): one answer for what happens within this time.
GATHER_S = 0.02


@dataclass
class Rack:
    """What was heard of one rack. `session` is the one that speaks for it, `version` that of its last change;
    `interval_s` is the pace at which it says that it beats."""

    node: str
    session: object
    last: float
    version: int = 0
    heard: bool = True
    serial: int | None = None
    status: bytes = b"null"
    interval_s: float = 0.0

    @property
    def entry(self) -> bytes:
        """Its part of an answer."""
        return build_heard_rack(self.node, self.heard, self.serial, self.status)


@dataclass
class HeardRacks:
    """All racks that were ever heard. `epoch` tells one life of this agent from the next."""

    epoch: str
    version: int = 1
    racks: dict[str, Rack] = field(default_factory=dict)
    _swept: float = 0.0
    _stalled: bool = False
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def beat(self, session: object, beat: Beat, now: float) -> Rack:
        """Take in a frame that says something new. The session that sent it speaks for the rack from now on."""
        rack = self.racks.setdefault(beat.node, Rack(beat.node, session, now))
        status = rack.status if beat.status is None else beat.status
        said = (True, beat.serial, status)
        rack.session, rack.last = session, now
        if beat.interval_s is not None:
            rack.interval_s = beat.interval_s
        if rack.version == 0 or said != (rack.heard, rack.serial, rack.status):
            rack.heard, rack.serial, rack.status = said
            self._note(rack)
        return rack

    def leave(self, session: object, rack: Rack) -> None:
        """A session ended. If another one speaks for the rack already, that means nothing."""
        if rack.session is session and rack.heard:
            rack.heard = False
            self._note(rack)

    def sweep(self, now: float, interval_s: float, misses: int) -> None:
        """Racks that missed so many intervals in a row are not heard any more.

        Of this region's interval and the one that the rack says, the longer counts: they learn of a change one after
        the other.
        """
        self._stalled = not self._stalled and now - self._swept > misses * interval_s / 2
        self._swept = now
        if self._stalled:
            # It was this process that did not run: what arrived meanwhile is read before the next sweep.
            return
        for rack in self.racks.values():
            if rack.heard and now - rack.last > misses * max(interval_s, rack.interval_s):
                rack.heard = False
                self._note(rack)

    def answer(self, since: int, epoch: str) -> bytes:
        """What changed since a version, or everything for who does not know this epoch."""
        full = self._asks_for_all(since, epoch)
        entries = [rack.entry for rack in self.racks.values() if full or rack.version > since]
        return build_heard(Cursor(self.version, self.epoch), full, entries)

    async def wait(self, query: Mapping[str, str]) -> bytes:
        """The answer to a query of /heard, as soon as there is something to say or its time is over."""
        cursor, wait_s = read_heard_query(query)
        since, epoch = cursor.version, cursor.epoch
        if not self._asks_for_all(since, epoch) and since == self.version:
            try:
                async with asyncio.timeout(wait_s):
                    await self._changed.wait()
                    await asyncio.sleep(GATHER_S)
            except TimeoutError:
                pass  # The answer is that nothing changed.
        return self.answer(since, epoch)

    def _asks_for_all(self, since: int, epoch: str) -> bool:
        return since == 0 or epoch != self.epoch or since > self.version

    def _note(self, rack: Rack) -> None:
        self.version += 1
        rack.version = self.version
        self._changed.set()
        # Those who wait have been woken; who comes later waits for the next change.
        self._changed.clear()
