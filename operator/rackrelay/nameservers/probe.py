"""SOA probes over UDP: which name servers answer, and with which serial.

One socket per address family, one query in flight per server. What it learns goes to a callback; it decides nothing.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import dns.exception
import dns.message
import dns.rdatatype

from rackrelay.nameservers.datagrams import Datagrams, Place
from rackrelay.nameservers.server import NameServer

AnswerCallback = Callable[[NameServer, int], None]


@dataclass(frozen=True)
class Question:
    """A server and the domain whose SOA it is asked for."""

    server: NameServer
    domain: str


class Prober:
    """Sends SOA queries and reports (server, serial) for each answer that belongs to one of them.

    Raises:
        OSError: no socket of either family can be opened.
    """

    def __init__(self, on_answer: AnswerCallback) -> None:
        self._on_answer = on_answer
        self._datagrams = Datagrams(self._received)
        self._pending: dict[Place, tuple[bytes, NameServer]] = {}
        self._queries: dict[str, bytes] = {}

    def ask(self, question: Question) -> None:
        """Send one query; an earlier one to the same server that is still unanswered no longer counts."""
        server = question.server
        message_id = os.urandom(2)
        self._pending[(server.address, server.port)] = (message_id, server)
        self._datagrams.send(message_id + self._query(question.domain), (server.address, server.port))

    def drain(self) -> None:
        """Report the answers that have arrived and wait: who sent them has not been silent."""
        self._datagrams.drain()

    def close(self) -> None:
        """Close the sockets."""
        self._datagrams.close()

    def _query(self, domain: str) -> bytes:
        if domain not in self._queries:
            self._queries[domain] = dns.message.make_query(f"{domain}.", "SOA", id=0, flags=0).to_wire()[2:]
        return self._queries[domain]

    def _received(self, data: bytes, source: Place) -> None:
        pending = self._pending.get(source)
        if pending is None or data[:2] != pending[0]:
            return
        del self._pending[source]
        serial = _read_known(data[2:])
        if serial is not None:
            self._on_answer(pending[1], serial)


# Servers of one version send the same bytes behind their message ids, several thousand times a second.
@lru_cache(maxsize=64)
def _read_known(wire_without_id: bytes) -> int | None:
    return read_serial(b"\0\0" + wire_without_id)


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
