"""Rack side of the heartbeat sessions: one to every region replica, each on its own, so that none delays another."""

import asyncio
import contextlib
import random
import socket
from collections.abc import Callable
from dataclasses import dataclass, field

from rackrelay.agent.sessions.nonce import build_nonce
from rackrelay.protocol import frames

CONNECT_TIMEOUT_S = 2.0
# After the frame that is answered.
ANSWER_TIMEOUT_S = 2.0
# A longer one is left to who asks for it on port 5249: the region would close the session.
STATUS_LIMIT_BYTES = frames.FRAME_LIMIT_BYTES - 1024
# What is answered stays far below this.
_LINE_LIMIT_BYTES = 4096

# linux/tcp.h; a session sends little and seldom, so retransmissions need not back off.
_TCP_USER_TIMEOUT, _TCP_THIN_LINEAR_TIMEOUTS = 18, 16
_SOCKET_OPTIONS = (
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 2),
    (socket.IPPROTO_TCP, _TCP_USER_TIMEOUT, int(ANSWER_TIMEOUT_S * 1000)),
    (socket.IPPROTO_TCP, _TCP_THIN_LINEAR_TIMEOUTS, 1),
)


@dataclass(frozen=True)
class Target:
    """Where one region replica hears racks."""

    address: str
    port: int


class NoKey(Exception):
    """The region's agent key is not mounted yet."""


@dataclass
class Heartbeat:
    """What all sessions of this rack send and learn.

    `key` gives the region's agent key. `serial` and `status` (a JSON document) are kept up to date by the agent;
    `answered` holds the serial that each replica in reach serves.
    """

    node: str
    key: Callable[[], bytes]
    interval_s: float = 0.25
    serial: int | None = None
    status: bytes = b""
    answered: dict[Target, int | None] = field(default_factory=dict)


@dataclass
class Backoff:
    """How long to wait before the next attempt; random, so that a thousand racks do not come back at once."""

    first_s: float = 0.2
    limit_s: float = 2.0
    _next_s: float = 0.2

    def next(self) -> float:
        """Seconds to wait now."""
        wait_s = random.uniform(self._next_s / 2, self._next_s)  # noqa: S311 - spreads load, hides nothing
        self._next_s = min(self._next_s * 2, self.limit_s)
        return wait_s

    def reset(self) -> None:
        """The last attempt went well."""
        self._next_s = self.first_s


@dataclass
class Sessions:
    """One task for each replica that the configuration names."""

    heartbeat: Heartbeat
    log: Callable[[str], None]
    _tasks: dict[Target, asyncio.Task[None]] = field(default_factory=dict)

    def follow(self, targets: tuple[Target, ...]) -> None:
        """Beat to these replicas and to no other."""
        for target in self._tasks.keys() - set(targets):
            self._tasks.pop(target).cancel()
        for target in targets:
            if target not in self._tasks:
                self._tasks[target] = asyncio.create_task(self._beat(target))

    async def _beat(self, target: Target) -> None:
        backoff, said = Backoff(), ""
        while True:
            try:
                await hold_session(target, self.heartbeat, backoff.reset)
            except Exception as error:  # whatever one replica does, this rack goes on trying
                words = f"heartbeat to {target.address} port {target.port}: {str(error) or type(error).__name__}"
                if words != said:
                    self.log(words)
                said = words
            await asyncio.sleep(backoff.next())


async def hold_session(target: Target, heartbeat: Heartbeat, answered: Callable[[], None]) -> None:
    """Beat and read answers, until the session ends by an exception. `answered` is called for each answer.

    Raises:
        OSError, EOFError, TimeoutError: the replica cannot be reached or went silent.
        BadFrame, LimitOverrunError: it is not the replica that answers.
        NoKey: nothing can be signed yet.
    """
    key = heartbeat.key()
    if not key:
        raise NoKey("the region's agent key is not mounted")
    async with asyncio.timeout(CONNECT_TIMEOUT_S):
        reader, writer = await asyncio.open_connection(target.address, target.port, limit=_LINE_LIMIT_BYTES)
    sender = None
    try:
        _tune(writer)
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            nonce = frames.parse_hello(await reader.readuntil(b"\n"))
        signer = Signer(heartbeat, key, nonce)
        sender = asyncio.create_task(_send(writer, signer))
        seq = 0
        while True:
            async with asyncio.timeout(signer.interval_s + ANSWER_TIMEOUT_S):
                line = await reader.readuntil(b"\n")
            seq += 1
            heartbeat.answered[target] = frames.open_answer(key, nonce + signer.challenge, seq, line[:-1])
            answered()
    finally:
        heartbeat.answered.pop(target, None)
        writer.transport.abort()
        if sender is not None:
            sender.cancel()
            await asyncio.gather(sender, return_exceptions=True)


class Signer:
    """The frames of one session, in their order."""

    def __init__(self, heartbeat: Heartbeat, key: bytes, nonce: str) -> None:
        self.challenge = build_nonce()
        self._pulse, self._key, self._nonce = heartbeat, key, nonce
        self._seq = 0
        self._said: bytes | None = None
        # Seconds until the frame after the one that was made last, as that one said.
        self.interval_s = heartbeat.interval_s

    def next(self) -> bytes:
        """The frame to send now. The first one is small; the status follows in the second and whenever it changed."""
        self._seq += 1
        body = frames.beat_prefix(self._pulse.node, self._pulse.serial) + b"%d" % self._seq
        if self._seq == 1 or self.interval_s != self._pulse.interval_s:
            self.interval_s = self._pulse.interval_s
            body += b',"interval":%d' % round(self.interval_s * 1000)
        if self._seq == 1:
            body += frames.first_fields(self.challenge)
        elif self._pulse.status != self._said and 0 < len(self._pulse.status) <= STATUS_LIMIT_BYTES:
            self._said = self._pulse.status
            body += b',"status":' + self._said
        return frames.sign_beat(self._key, self._nonce, self._seq, body + b"}")


async def _send(writer: asyncio.StreamWriter, signer: Signer) -> None:
    # The status goes right behind the first frame.
    writer.write(signer.next())
    while True:
        writer.write(signer.next())
        await asyncio.sleep(signer.interval_s)


def _tune(writer: asyncio.StreamWriter) -> None:
    sock = writer.get_extra_info("socket")
    for level, option, value in _SOCKET_OPTIONS:
        # An option that this kernel does not know makes a dead region show later, by its missing answers.
        with contextlib.suppress(OSError):
            sock.setsockopt(level, option, value)
