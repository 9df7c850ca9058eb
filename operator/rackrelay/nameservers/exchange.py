"""One DNS message to one name server and its answer, over UDP or TCP."""

import asyncio

from rackrelay.nameservers.server import NameServer


class _Answer(asyncio.DatagramProtocol):
    def __init__(self, message_id: bytes, answer: "asyncio.Future[bytes]") -> None:
        self._message_id = message_id
        self._answer = answer

    def datagram_received(self, data: bytes, addr: object) -> None:
        if data[:2] == self._message_id and not self._answer.done():
            self._answer.set_result(data)

    def error_received(self, exc: Exception) -> None:
        if not self._answer.done():
            self._answer.set_exception(exc)


async def ask_udp(wire: bytes, server: NameServer, timeout_s: float) -> bytes:
    """The answer to a message.

    Raises:
        OSError, TimeoutError: there is none.
    """
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[bytes] = loop.create_future()
    transport, _ = await loop.create_datagram_endpoint(
        lambda: _Answer(wire[:2], answer), remote_addr=(server.address, server.port)
    )
    try:
        transport.sendto(wire)
        return await asyncio.wait_for(answer, timeout_s)
    finally:
        transport.close()


async def ask_tcp(wire: bytes, server: NameServer, timeout_s: float) -> bytes:
    """The answer to a message of up to 65,535 bytes.

    Raises:
        OSError, EOFError, TimeoutError: there is none.
    """
    async with asyncio.timeout(timeout_s):
        reader, writer = await asyncio.open_connection(server.address, server.port)
        try:
            writer.write(len(wire).to_bytes(2, "big") + wire)
            length = int.from_bytes(await reader.readexactly(2), "big")
            return await reader.readexactly(length)
        finally:
            writer.close()
