"""SOA probes over UDP: which name servers answer, and with which serial.

One socket per address family, one query in flight per server. What it learns goes to a callback; it decides nothing.
"""

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass

import dns.exception
import dns.message
import dns.rdatatype

from rackrelay.model.observed import NameServer

AnswerCallback = Callable[[NameServer, int], None]


@dataclass(frozen=True)
class Question:
    """A server and the domain whose SOA it is asked for."""

    server: NameServer
    domain: str


class Prober:
    """Sends SOA queries and reports (server, serial) for each answer that belongs to one of them."""

    def __init__(self, on_answer: AnswerCallback) -> None:
        self._on_answer = on_answer
        self._transports: dict[int, asyncio.DatagramTransport] = {}
        self._pending: dict[tuple[str, int], tuple[int, NameServer]] = {}
        self._queries: dict[str, bytes] = {}

    async def start(self) -> None:
        """Open the sockets.

        Raises:
            OSError: no socket of either family can be opened.
        """
        loop = asyncio.get_running_loop()
        errors: list[OSError] = []
        for version, local in ((4, "0.0.0.0"), (6, "::")):  # noqa: S104 - a client socket on an ephemeral port
            try:
                transport, _ = await loop.create_datagram_endpoint(
                    lambda: _Receiver(self._received), local_addr=(local, 0)
                )
                self._transports[version] = transport
            except OSError as error:
                errors.append(error)
        if not self._transports:
            raise errors[0]

    def ask(self, question: Question) -> None:
        """Send one query; an earlier one to the same server that is still unanswered no longer counts."""
        server = question.server
        transport = self._transports.get(6 if ":" in server.address else 4)
        if transport is None:
            return
        message_id = secrets.randbelow(65536)
        self._pending[(server.address, server.port)] = (message_id, server)
        transport.sendto(message_id.to_bytes(2, "big") + self._query(question.domain), (server.address, server.port))

    def close(self) -> None:
        """Close the sockets."""
        for transport in self._transports.values():
            transport.close()

    def _query(self, domain: str) -> bytes:
        if domain not in self._queries:
            self._queries[domain] = dns.message.make_query(f"{domain}.", "SOA", id=0, flags=0).to_wire()[2:]
        return self._queries[domain]

    def _received(self, data: bytes, source: tuple[str, int]) -> None:
        message_id, server = self._pending.get((source[0], source[1]), (-1, None))
        if server is None or int.from_bytes(data[:2], "big") != message_id:
            return
        del self._pending[(source[0], source[1])]
        serial = read_serial(data)
        if serial is not None:
            self._on_answer(server, serial)


def read_serial(wire: bytes) -> int | None:
    """The serial of the SOA in an authoritative answer; None for any other answer (a zone that is not loaded, say)."""
    try:
        message = dns.message.from_wire(wire)
    except (dns.exception.DNSException, ValueError):
        return None
    for rrset in message.answer:
        if rrset.rdtype == dns.rdatatype.SOA:
            return int(rrset[0].serial)
    return None


class _Receiver(asyncio.DatagramProtocol):
    def __init__(self, received: Callable[[bytes, tuple[str, int]], None]) -> None:
        self._received = received

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._received(data, addr)

    def error_received(self, exc: Exception) -> None:
        # ICMP errors of one server arrive here unnamed; its silence is what counts.
        return
