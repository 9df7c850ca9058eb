"""Bring every name server to one version of the zone: signed UPDATE, verified; AXFR and repair for those that differ.

RFC 2136 (UPDATE), RFC 8945 (TSIG), RFC 5936 (AXFR). One message is signed once and its bytes go to all servers.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum

import dns.asyncquery
import dns.exception
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.tsig
import dns.update
import dns.zone

from rackrelay.model.observed import NameServer
from rackrelay.zone.plan import Change, Zone, plan_change, zone_of

# Larger messages would be fragmented on the way; TCP carries them whole.
MAX_UDP_BYTES = 1232
TIMEOUT_S = 0.2
ATTEMPTS = 3
TRANSFER_TIMEOUT_S = 3.0

# Asked right before each UPDATE is sent; raises when another operator leads.
Fence = Callable[[], object]


@dataclass(frozen=True)
class Key:
    """A TSIG key; `secret` is base64 text."""

    name: str
    secret: str

    def __repr__(self) -> str:
        return f"Key({self.name!r})"

    @property
    def tsig(self) -> dns.tsig.Key:
        """The key as dnspython wants it."""
        return dns.tsig.Key(self.name, self.secret, dns.tsig.HMAC_SHA256)


class Outcome(Enum):
    """What became of one server."""

    UPDATED = "updated"
    UNREACHABLE = "unreachable"
    DIFFERS = "differs"
    REFUSED = "refused"


@dataclass(frozen=True)
class SignedUpdate:
    """The bytes to send and what is needed to verify the answers to them."""

    wire: bytes
    mac: bytes


def sign_update(change: Change, key: Key) -> SignedUpdate:
    """One signed UPDATE whose prerequisite is the whole old SOA, so that it applies once and only to that version."""
    message = dns.update.UpdateMessage(f"{change.new.domain}.", keyring=key.tsig)
    message.present(dns.name.empty, _soa(change.old))
    for (label, kind), addresses in change.rrsets.items():
        message.delete(label, kind)
        for address in addresses:
            message.add(label, change.new.ttl_s, kind, address)
    message.add(dns.name.empty, change.new.ttl_s, _soa(change.new))
    wire = message.to_wire(max_size=65535)
    return SignedUpdate(wire, message.mac or b"")


async def send_update(
    change: Change, key: Key, servers: Iterable[NameServer], fence: Fence = bool
) -> dict[NameServer, Outcome]:
    """The outcome at each server; takes as long as the slowest, at most about a second."""
    update = sign_update(change, key)
    targets = list(servers)
    outcomes = await asyncio.gather(*(_send(update, key, server, fence) for server in targets))
    return dict(zip(targets, outcomes, strict=True))


async def repair(server: NameServer, wanted: Zone, key: Key, fence: Fence = bool) -> Outcome:
    """Bring one server that serves another version to `wanted`, from what it really has.

    DIFFERS when it is ahead: the zone needs a greater serial first, which the next probe will ask for.
    """
    try:
        served = await transfer(server, wanted.domain, key)
    except (OSError, EOFError, TimeoutError, dns.exception.DNSException):
        return Outcome.UNREACHABLE
    if served == wanted:
        return Outcome.UPDATED
    if served.serial >= wanted.serial:
        return Outcome.DIFFERS
    # The prerequisite names the SOA that the server holds, whose timers may be another release's.
    outcomes = await send_update(plan_change(served, wanted), key, [server], fence)
    return outcomes[server]


async def transfer(server: NameServer, domain: str, key: Key) -> Zone:
    """The zone as one server has it now.

    Raises:
        OSError, TimeoutError, dns.exception.DNSException: it cannot be had.
    """
    query = dns.message.make_query(f"{domain}.", "AXFR")
    query.use_tsig(key.tsig)
    zone = dns.zone.Zone(f"{domain}.", relativize=True)
    await dns.asyncquery.inbound_xfr(
        server.address, zone, query=query, port=server.port, timeout=1.0, lifetime=TRANSFER_TIMEOUT_S
    )
    return zone_of(zone, domain)


async def _send(update: SignedUpdate, key: Key, server: NameServer, fence: Fence) -> Outcome:
    over_tcp = len(update.wire) > MAX_UDP_BYTES
    for _attempt in range(ATTEMPTS):
        fence()
        try:
            answer = await (_ask_tcp if over_tcp else _ask_udp)(update.wire, server)
            return _outcome(answer, update, key)
        except TimeoutError:
            continue
        except (OSError, EOFError, dns.exception.DNSException):
            return Outcome.UNREACHABLE
    return Outcome.UNREACHABLE


def _outcome(answer: bytes, update: SignedUpdate, key: Key) -> Outcome:
    message = dns.message.from_wire(answer, keyring=key.tsig, request_mac=update.mac)
    match message.rcode():
        case dns.rcode.NOERROR if message.had_tsig:
            return Outcome.UPDATED
        # Either it has another version or our first copy was applied and its answer was lost: its SOA tells.
        case dns.rcode.NXRRSET:
            return Outcome.DIFFERS
        case _:
            return Outcome.REFUSED


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


async def _ask_udp(wire: bytes, server: NameServer) -> bytes:
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[bytes] = loop.create_future()
    transport, _ = await loop.create_datagram_endpoint(
        lambda: _Answer(wire[:2], answer), remote_addr=(server.address, server.port)
    )
    try:
        transport.sendto(wire)
        return await asyncio.wait_for(answer, TIMEOUT_S)
    finally:
        transport.close()


async def _ask_tcp(wire: bytes, server: NameServer) -> bytes:
    async with asyncio.timeout(5 * TIMEOUT_S):
        reader, writer = await asyncio.open_connection(server.address, server.port)
        try:
            writer.write(len(wire).to_bytes(2, "big") + wire)
            length = int.from_bytes(await reader.readexactly(2), "big")
            return await reader.readexactly(length)
        finally:
            writer.close()


def _soa(zone: Zone) -> dns.rdata.Rdata:
    return dns.rdata.from_text(dns.rdataclass.IN, dns.rdatatype.SOA, zone.soa)
