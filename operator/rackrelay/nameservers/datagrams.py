"""UDP to a thousand servers by one socket for each family.

asyncio reads one datagram in each turn of its loop, and a turn takes as long as everything else that is due: a thousand
answers would wait for a second while their senders are taken for silent. Here all that waits is read at once.
"""

import asyncio
import socket
from collections.abc import Callable
from typing import Any

# The kernel gives what net.core.rmem_max allows, usually less.
RECEIVE_BUFFER_BYTES = 4 * 2**20
MAX_DATAGRAM_BYTES = 65535
# A flood must not hold the event loop for ever.
MAX_AT_ONCE = 10_000

Place = tuple[str, int]
Receive = Callable[[bytes, Place], None]


class Datagrams:
    """Sends to (address, port) and calls `receive` with each datagram and the place that it came from.

    Raises:
        OSError: no socket of either family can be opened.
    """

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._sockets: dict[int, socket.socket] = {}
        loop = asyncio.get_running_loop()
        errors: list[OSError] = []
        for family, local in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):  # noqa: S104 - a client's socket
            try:
                self._sockets[family] = _open(family, local)
            except OSError as error:
                errors.append(error)
        if not self._sockets:
            raise errors[0]
        for sock in self._sockets.values():
            loop.add_reader(sock, self.drain)

    def send(self, data: bytes, place: Place) -> None:
        """Send one datagram; one that cannot be sent is lost like one that gets lost on its way."""
        sock = self._sockets.get(socket.AF_INET6 if ":" in place[0] else socket.AF_INET)
        if sock is None:
            return
        try:
            sock.sendto(data, place)
        except OSError:
            return

    def drain(self) -> None:
        """Take in everything that has arrived by now."""
        for sock in self._sockets.values():
            for _ in range(MAX_AT_ONCE):
                try:
                    data, source = sock.recvfrom(MAX_DATAGRAM_BYTES)
                except BlockingIOError:
                    break
                except OSError:
                    # An ICMP error of one server arrives here unnamed; its silence is what counts.
                    continue
                self._receive(data, (source[0], source[1]))

    def close(self) -> None:
        """Close the sockets."""
        loop = asyncio.get_running_loop()
        for sock in self._sockets.values():
            loop.remove_reader(sock)
            sock.close()
        self._sockets.clear()


def _open(family: int, local: str) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        address: Any = (local, 0)
        sock.bind(address)
    except OSError:
        sock.close()
        raise
    return sock
