"""One message to many servers."""

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rackrelay.nameservers.datagrams import Place
from rackrelay.nameservers.fanout import ATTEMPTS, TIMEOUT_S, ask_all


@contextmanager
def echoes(count: int) -> Iterator[list[Place]]:
    """So many places on loopback; each answers at once what it is sent, with its own number behind."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stop:
        socks = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(count)]
        for sock in (stop, *socks):
            sock.bind(("127.0.0.1", 0))
        thread = threading.Thread(target=_answer, args=(socks, stop))
        thread.start()
        try:
            yield [sock.getsockname() for sock in socks]
        finally:
            stop.sendto(b"", stop.getsockname())
            thread.join()
            for sock in socks:
                sock.close()


def _answer(socks: list[socket.socket], stop: socket.socket) -> None:
    import select

    while True:
        ready, _, _ = select.select([stop, *socks], [], [])
        if stop in ready:
            return
        for sock in ready:
            data, source = sock.recvfrom(512)
            sock.sendto(data + b"%d" % sock.getsockname()[1], source)


async def test_everybody_is_asked_and_heard() -> None:
    with echoes(300) as places:
        answers = await ask_all(b"id and text", places, bool)
    assert answers == {place: b"id and text%d" % place[1] for place in places}


async def test_process_that_was_busy_does_not_take_servers_for_silent() -> None:
    with echoes(50) as places:
        asking = asyncio.create_task(ask_all(b"id and text", places, bool))
        await asyncio.sleep(0)
        time.sleep(ATTEMPTS * TIMEOUT_S + 0.2)  # noqa: ASYNC251 - a blocked loop is what this is about
        assert (await asking).keys() == set(places)


async def test_answer_from_elsewhere_or_by_another_id_is_nobodys() -> None:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other,
    ):
        for sock in (asked, other):
            sock.bind(("127.0.0.1", 0))
        asking = asyncio.create_task(ask_all(b"id and text", [asked.getsockname()], bool))
        _, source = await asyncio.to_thread(asked.recvfrom, 512)
        asked.sendto(b"xx another id", source)
        other.sendto(b"id from elsewhere", source)
        assert await asking == {}
