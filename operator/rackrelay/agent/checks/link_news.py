"""Hear from the kernel that a link or an address of this node changed; `addresses` then reads what there is."""

import asyncio
import socket
from contextlib import suppress
from dataclasses import dataclass, field

# linux/rtnetlink.h: the groups of link changes, and of address changes of either family.
_GROUPS = 0x1 | 0x10 | 0x100
_MESSAGE_LIMIT_BYTES = 65536


@dataclass
class LinkNews:
    """One rtnetlink(7) socket. It counts as news that nothing was asked yet."""

    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _socket: socket.socket | None = None

    async def wait(self, at_most_s: float) -> bool:
        """Whether something changed since the last call; a change ends the wait.

        Raises:
            OSError: the kernel gives no socket.
        """
        if self._socket is None:
            self._socket = _open()
            asyncio.get_running_loop().add_reader(self._socket, self._take, self._socket)
            self._changed.set()
        with suppress(TimeoutError):
            async with asyncio.timeout(at_most_s):
                await self._changed.wait()
        changed = self._changed.is_set()
        self._changed.clear()
        return changed

    def close(self) -> None:
        """Hear no more."""
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket)
            self._socket.close()

    def _take(self, sock: socket.socket) -> None:
        # ENOBUFS: there was more than the socket holds, which is news too.
        with suppress(OSError):
            sock.recv(_MESSAGE_LIMIT_BYTES)
        self._changed.set()


def _open() -> socket.socket:
    sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.NETLINK_ROUTE)
    try:
        sock.bind((0, _GROUPS))
    except OSError:
        sock.close()
        raise
    return sock
