"""Region side of the heartbeat sessions, for a thousand racks: a frame that says nothing new costs one comparison."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

from rackrelay.agent.sessions.heard import HeardRacks, Rack
from rackrelay.agent.sessions.nonce import build_nonce
from rackrelay.protocol import frames
from rackrelay.protocol.frames import BadFrame

GREETING_TIMEOUT_S = 5.0
IDLE_TIMEOUT_S = 10.0
CARE_INTERVAL_S = 1.0
# Per second. A rack sends four, and a few more when it connects.
FRAMES_LIMIT = 200
STRANGERS_LIMIT = 1024
_BACKLOG = 1024


@dataclass
class Listener:
    """What sessions share.

    `key` gives the region's agent key, empty while it is not mounted; `serial` what this replica's named serves.
    """

    heard: HeardRacks
    key: Callable[[], bytes]
    serial: Callable[[], int | None]
    clock: Callable[[], float]
    sessions: dict["Session", None] = field(default_factory=dict)
    strangers: dict["Session", None] = field(default_factory=dict)
    _answer: tuple[int | None, bytes] = (None, frames.answer_prefix(None))

    async def serve(self, host: str, port: int) -> None:
        """Hear racks until cancelled.

        Raises:
            OSError: the address is not this pod's yet, or the port is taken.
        """
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: Session(self), host, port, backlog=_BACKLOG)
        async with server:
            try:
                await server.serve_forever()
            finally:
                for session in [*self.sessions, *self.strangers]:
                    session.close()

    async def look_after(self) -> None:
        """Close the sessions that are idle, too talkative or never said who they are."""
        now = self.clock()
        for session in [*self.strangers, *self.sessions]:
            session.care(now)

    def answer_prefix(self) -> bytes:
        """The beginning of every answer at this moment."""
        serial = self.serial()
        if serial != self._answer[0]:
            self._answer = (serial, frames.answer_prefix(serial))
        return self._answer[1]

    def admit(self, session: "Session") -> None:
        """A new connection; those who have waited longest without a proof make room."""
        self.strangers[session] = None
        while len(self.strangers) > STRANGERS_LIMIT:
            next(iter(self.strangers)).close()


class Session(asyncio.Protocol):
    """One rack's connection."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._transport = asyncio.Transport()
        self._key = b""
        self._nonce = build_nonce()
        self._challenge = ""
        self._buffer = b""
        self._seq = 0
        self._frames = 0
        self._rack: Rack | None = None
        self._same = b""
        self._last = listener.clock()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Challenge whoever it is; without a key nobody can be believed."""
        self._transport = cast(asyncio.Transport, transport)
        self._key = self._listener.key()
        if not self._key:
            self._transport.abort()
            return
        self._listener.admit(self)
        self._transport.write(frames.build_hello(self._nonce))

    def data_received(self, data: bytes) -> None:
        """Answer each whole frame; close on the first that is not one."""
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        try:
            for line in lines:
                self._take(line)
        except BadFrame:
            self.close()
            return
        limit = frames.FRAME_LIMIT_BYTES if self._rack else frames.GREETING_LIMIT_BYTES
        if len(self._buffer) > limit:
            self.close()

    def pause_writing(self) -> None:
        """A rack that does not read its answers would fill this process's memory with them."""
        self.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """The rack is not heard any more, unless it is by another session."""
        self._forget()

    def close(self) -> None:
        """End the session at once."""
        self._forget()
        self._transport.abort()

    def care(self, now: float) -> None:
        """Called once a second."""
        silence_s = IDLE_TIMEOUT_S if self._rack else GREETING_TIMEOUT_S
        idle = now - self._last > silence_s and not self._is_waited_for
        if idle or self._frames > FRAMES_LIMIT * CARE_INTERVAL_S:
            self.close()
        self._frames = 0

    @property
    def _is_waited_for(self) -> bool:
        # At a slow pace a rack may be silent for longer than what is idle otherwise.
        return self._rack is not None and self._rack.session is self and self._rack.heard

    def _take(self, line: bytes) -> None:
        if len(line) > (frames.FRAME_LIMIT_BYTES if self._rack else frames.GREETING_LIMIT_BYTES):
            raise BadFrame("too long")
        self._seq += 1
        self._frames += 1
        body = frames.open_beat(self._key, self._nonce, self._seq, line)
        now = self._listener.clock()
        self._last = now
        rack = self._rack
        if rack and rack.session is self and rack.heard and body == self._same + b"%d}" % self._seq:
            rack.last = now
        else:
            self._learn(body, now)
        self._answer()

    def _learn(self, body: bytes, now: float) -> None:
        beat = frames.parse_beat(body)
        if self._rack is None:
            self._challenge = beat.challenge
        elif self._rack.session is not self or beat.node != self._rack.node:
            raise BadFrame("another session speaks for this rack")
        self._rack = self._listener.heard.beat(self, beat, now)
        self._same = frames.beat_prefix(beat.node, beat.serial)
        self._listener.strangers.pop(self, None)
        self._listener.sessions[self] = None

    def _answer(self) -> None:
        body = self._listener.answer_prefix() + b"%d}" % self._seq
        self._transport.write(frames.sign_answer(self._key, self._nonce + self._challenge, self._seq, body))

    def _forget(self) -> None:
        self._listener.strangers.pop(self, None)
        self._listener.sessions.pop(self, None)
        if self._rack is not None:
            self._listener.heard.leave(self, self._rack)
