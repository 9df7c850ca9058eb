"""One question and one answer over UDP or TCP, within a time limit."""

import asyncio
import socket

ANSWER_LIMIT_BYTES = 16384


async def ask_tcp(host: str, port: int, question: bytes) -> bytes:
    """What the other side sends first after the question; empty when it closes at once.

    Raises:
        OSError: it cannot be reached or resets the connection. The caller limits the time.
    """
    return await converse_tcp(host, port, question)


async def converse_tcp(host: str, port: int, *questions: bytes) -> bytes:
    """All that the other side answers to questions that are sent one after the other.

    Raises:
        OSError: as `ask_tcp`.
    """
    reader, writer = await asyncio.open_connection(host, port)
    answers = b""
    try:
        for question in questions:
            writer.write(question)
            await writer.drain()
            answers += await reader.read(ANSWER_LIMIT_BYTES)
    finally:
        writer.close()
    return answers


async def send_tcp(host: str, port: int, data: bytes) -> None:
    """Send and close, for protocols that answer nothing.

    Raises:
        OSError: as `ask_tcp`.
    """
    _, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(data)
        await writer.drain()
    finally:
        writer.close()


async def ask_udp(host: str, port: int, question: bytes) -> bytes:
    """The first datagram that comes back.

    Raises:
        OSError: the other side refuses. The caller limits the time.
    """
    # A transport would cost several times as much, four times a second.
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        sock.connect((host, port))
        sock.send(question)
        return await asyncio.get_running_loop().sock_recv(sock, ANSWER_LIMIT_BYTES)


class Inbox(asyncio.DatagramProtocol):
    """Received datagrams, one after the other."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[bytes | OSError] = asyncio.Queue(maxsize=64)

    def datagram_received(self, data: bytes, addr: object) -> None:
        """Keep the datagram; of a flood, the first."""
        if not self._queue.full():
            self._queue.put_nowait(data)

    def error_received(self, exc: Exception) -> None:
        """Keep what the kernel says of a datagram that was refused."""
        if isinstance(exc, OSError) and not self._queue.full():
            self._queue.put_nowait(exc)

    async def next(self) -> bytes:
        """The next datagram.

        Raises:
            OSError: what the kernel said instead.
        """
        item = await self._queue.get()
        if isinstance(item, OSError):
            raise item
        return item


def http_status(answer: bytes) -> int:
    """The status of an HTTP answer, 0 when it is none."""
    words = answer.split(b"\r\n", 1)[0].split(b" ")
    is_http = len(words) >= 2 and words[0].startswith(b"HTTP/1.") and words[1].isdigit()
    return int(words[1]) if is_http else 0
