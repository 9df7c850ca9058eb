"""UDP to many servers: nothing that has arrived is left lying, however busy the loop was."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from rackrelay.nameservers.datagrams import Datagrams, Place


class Peers(ExitStack):
    """Sockets on loopback that answer when they are told to."""

    def add(self, family: int = socket.AF_INET, address: str = "127.0.0.1") -> socket.socket:
        sock = self.enter_context(socket.socket(family, socket.SOCK_DGRAM))
        sock.bind((address, 0))
        sock.settimeout(5)
        return sock


@pytest.fixture
def peers() -> Iterator[Peers]:
    with Peers() as stack:
        yield stack


def place(sock: socket.socket) -> Place:
    address, port = sock.getsockname()[:2]
    return (address, port)


async def test_all_that_waits_is_taken_in_at_once_without_a_turn_of_the_loop(peers: Peers) -> None:
    heard: list[tuple[bytes, Place]] = []
    datagrams = Datagrams(lambda data, source: heard.append((data, source)))
    socks = [peers.add() for _ in range(100)]
    for sock in socks:
        datagrams.send(b"ask", place(sock))
    for sock in socks:
        _, source = sock.recvfrom(16)
        sock.sendto(b"answer", source)
    assert heard == []
    datagrams.drain()
    assert sorted(heard) == sorted((b"answer", place(sock)) for sock in socks)
    datagrams.close()


@pytest.mark.parametrize(("family", "address"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
async def test_what_arrives_is_taken_in_by_itself(peers: Peers, family: int, address: str) -> None:
    heard: asyncio.Queue[bytes] = asyncio.Queue()
    datagrams = Datagrams(lambda data, _: heard.put_nowait(data))
    sock = peers.add(family, address)
    datagrams.send(b"ask", place(sock))
    _, source = await asyncio.to_thread(sock.recvfrom, 16)
    sock.sendto(b"answer", source)
    async with asyncio.timeout(5):
        assert await heard.get() == b"answer"
    datagrams.close()


async def test_place_that_cannot_be_reached_does_no_harm(peers: Peers) -> None:
    heard: list[bytes] = []
    datagrams = Datagrams(lambda data, _: heard.append(data))
    gone = peers.add()
    nowhere = place(gone)
    gone.close()
    for target in (nowhere, ("255.255.255.255", 9), ("no address", 9)):
        datagrams.send(b"ask", target)
    datagrams.drain()
    assert heard == []
    datagrams.close()
