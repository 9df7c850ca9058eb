"""A name server for one zone, small enough to count what it is asked and to misbehave on demand.

It takes UPDATEs as BIND 9.20 does: prerequisites first, a signature or nothing, and a serial of its own when the new
SOA does not follow the old one.
"""

import contextlib
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import dns.tsig
import dns.update

from rackrelay.nameservers.update import TsigKey
from rackrelay.zone.plan import Zone, zone_text

POLL_S = 0.05


@dataclass
class Record:
    """What a server was asked. `history`: the versions of the zone that it has had."""

    queries: int = 0
    updates: list[bytes] = field(default_factory=list)
    transfers: int = 0
    history: list[Zone] = field(default_factory=list)


def bind_pair(address: str, port: int) -> tuple[socket.socket, socket.socket]:
    """A UDP and a TCP socket on the same port; with port 0 on one that is free for both."""
    while True:
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        udp.bind((address, port))
        try:
            return udp, socket.create_server(udp.getsockname())
        except OSError:
            udp.close()
            if port:
                raise


class FakeNameServer:
    """Serves one zone by UDP and TCP until it is closed.

    `silent`: it hears and does not answer. `silent_after`: so many UPDATEs it takes and does not answer more.
    `lose_answers`: so many answers to UPDATEs are lost. `tsig_error`: what it holds against every signature.
    `disk_full`: it cannot keep a change. Without a key UPDATEs and transfers are refused. `before_transfer` is called
    when a transfer is asked for; while it runs nothing is answered, and with an OSError of it the transfer never is.
    """

    def __init__(self, zone: Zone, key: TsigKey | None, address: str = "127.0.0.1", port: int = 0) -> None:
        self.zone, self.key = zone, key
        self.address, self.port = address, port
        self.silent = False
        self.silent_after: int | None = None
        self.lose_answers = 0
        self.tsig_error: dns.rcode.Rcode | None = None
        self.disk_full = False
        self.before_transfer: Callable[[], object] = bool
        self.record = Record(history=[zone])
        self._parsed: tuple[Zone, list[dns.rrset.RRset]] | None = None
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()

    def start(self) -> Self:
        """It answers when this returns."""
        self._stop.clear()
        udp, tcp = bind_pair(self.address, self.port)
        self.port = udp.getsockname()[1]
        for loop, sock in ((self._serve_udp, udp), (self._serve_tcp, tcp)):
            sock.settimeout(POLL_S)
            self._threads.append(threading.Thread(target=loop, args=(sock,), daemon=True))
            self._threads[-1].start()
        return self

    def close(self) -> None:
        """The sockets are closed: whoever asks is refused by the kernel."""
        self._stop.set()
        for thread in self._threads:
            thread.join()
        self._threads.clear()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()

    def _serve_udp(self, sock: socket.socket) -> None:
        with sock:
            while not self._stop.is_set():
                try:
                    wire, peer = sock.recvfrom(65535)
                except TimeoutError:
                    continue
                for answer in self._answers(wire)[:1]:
                    sock.sendto(answer, peer)

    def _serve_tcp(self, sock: socket.socket) -> None:
        with sock:
            while not self._stop.is_set():
                try:
                    connection, _ = sock.accept()
                except TimeoutError:
                    continue
                connection.settimeout(1.0)
                with connection, connection.makefile("rb") as stream, contextlib.suppress(OSError, struct.error):
                    (length,) = struct.unpack("!H", stream.read(2))
                    for answer in self._answers(stream.read(length)):
                        connection.sendall(struct.pack("!H", len(answer)) + answer)

    def _answers(self, wire: bytes) -> list[bytes]:
        with self._lock:
            hangs = self.silent_after is not None and len(self.record.updates) >= self.silent_after
            return [] if self.silent or hangs else self._answer(wire)

    def _answer(self, wire: bytes) -> list[bytes]:
        keyring = self.key.tsig if self.key else None
        is_update = (wire[2] >> 3) & 0xF == dns.opcode.UPDATE
        if is_update:
            self.record.updates.append(wire)
        try:
            query = dns.message.from_wire(wire, keyring=keyring)
        except dns.exception.DNSException:
            return [_refusal(wire)]
        if query.had_tsig and self.tsig_error is not None:
            refusal = dns.message.make_response(query, tsig_error=self.tsig_error)
            refusal.set_rcode(dns.rcode.NOTAUTH)
            return [refusal.to_wire()]
        answer = dns.message.make_response(query)
        answer.flags |= dns.flags.AA
        if isinstance(query, dns.update.UpdateMessage):
            answer.set_rcode(self._update(query))
            if self.lose_answers:
                self.lose_answers -= 1
                return []
        else:
            self._look_up(query, answer)
        return [answer.to_wire(max_size=65535)]

    def _look_up(self, query: dns.message.Message, answer: dns.message.Message) -> None:
        (question,) = query.question
        apex = dns.name.from_text(self.zone.domain)
        if question.rdtype == dns.rdatatype.AXFR:
            self.before_transfer()
            self.record.transfers += 1
            if not query.had_tsig:
                answer.set_rcode(dns.rcode.REFUSED)
                return
            records = self._records()
            answer.answer = [*records, records[0]]
            return
        self.record.queries += 1
        answer.answer = [r for r in self._records() if (r.name, r.rdtype) == (question.name, question.rdtype)]
        if not answer.answer and question.name != apex:
            answer.set_rcode(dns.rcode.NXDOMAIN)

    def _records(self) -> list[dns.rrset.RRset]:
        # A long zone takes longer to parse than probes are apart.
        if self._parsed is None or self._parsed[0] is not self.zone:
            self._parsed = (self.zone, _records(self.zone))
        return self._parsed[1]

    def _update(self, query: dns.update.UpdateMessage) -> dns.rcode.Rcode:
        if not query.had_tsig:
            return dns.rcode.REFUSED
        soa = dns.rdata.from_text("IN", "SOA", self.zone.soa)
        for wanted in query.prerequisite:
            if wanted.rdtype != dns.rdatatype.SOA or list(wanted) != [soa]:
                return dns.rcode.NXRRSET
        if self.disk_full:
            return dns.rcode.SERVFAIL
        rrsets, serial, ttl_s, timers = dict(self.zone.rrsets), self.zone.serial, self.zone.ttl_s, self.zone.timers
        for change in query.update:
            label = change.name.relativize(dns.name.from_text(self.zone.domain)).to_text()
            kind = dns.rdatatype.to_text(change.rdtype)
            if change.rdtype == dns.rdatatype.SOA:
                serial, ttl_s = change[0].serial, change.ttl
                timers = change[0].to_text().split(maxsplit=3)[3]
            elif change.deleting == dns.rdataclass.ANY:
                rrsets.pop((label, kind), None)
            else:
                added = {*rrsets.get((label, kind), ()), *(rdata.to_text() for rdata in change)}
                rrsets[(label, kind)] = tuple(sorted(added, key=lambda text: _number(kind, text)))
        if serial <= self.zone.serial:
            serial = self.zone.serial + 1
        self.zone = Zone(self.zone.domain, ttl_s, serial, rrsets, timers)
        self.record.history.append(self.zone)
        return dns.rcode.NOERROR


def _records(zone: Zone) -> list[dns.rrset.RRset]:
    found: dict[tuple[str, str], dns.rrset.RRset] = {}
    for line in zone_text(zone).splitlines():
        name, ttl, _, kind, data = line.split(maxsplit=4)
        if (name, kind) in found:
            found[(name, kind)].add(dns.rdata.from_text("IN", kind, data))
        else:
            found[(name, kind)] = dns.rrset.from_text(name, int(ttl), "IN", kind, data)
    return list(found.values())


def _refusal(wire: bytes) -> bytes:
    """NOTAUTH without a signature: what a server says whose key is another one."""
    header = struct.pack("!HHHHHH", int.from_bytes(wire[:2], "big"), 0, 0, 0, 0, 0)
    flags = 0x8000 | (wire[2] << 8 & 0x7800) | dns.rcode.NOTAUTH
    return header[:2] + struct.pack("!H", flags) + header[4:]


def _number(kind: str, text: str) -> int:
    family = socket.AF_INET if kind == "A" else socket.AF_INET6
    return int.from_bytes(socket.inet_pton(family, text), "big")
