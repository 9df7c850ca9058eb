"""The zone as one server has it, by AXFR (RFC 5936). Messages are parsed beside the event loop: a zone may be large."""

import asyncio
from typing import Any

import dns.exception
import dns.message
import dns.xfr
import dns.zone

from rackrelay.nameservers.server import NameServer
from rackrelay.nameservers.update import TsigKey
from rackrelay.zone.plan import Zone, zone_of

CONNECT_TIMEOUT_S = 1.0
SILENCE_S = 3.0
# Five thousand names take two seconds of a processor that may be busy.
TIMEOUT_S = 30.0


async def transfer(server: NameServer, domain: str, key: TsigKey) -> Zone:
    """The zone as one server has it now.

    Raises:
        OSError, EOFError, TimeoutError, dns.exception.DNSException: it cannot be had.
    """
    return await asyncio.to_thread(zone_of, await fetch_records(server, domain, key), domain)


async def fetch_records(server: NameServer, domain: str, key: TsigKey) -> dns.zone.Zone:
    """All records of a server's zone, with names relative to the domain.

    Raises:
        OSError, EOFError, TimeoutError, dns.exception.DNSException: they cannot be had.
    """
    async with asyncio.timeout(TIMEOUT_S):
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            reader, writer = await asyncio.open_connection(server.address, server.port)
        try:
            receiving = _Receiving(domain, key)
            writer.write(_framed(receiving.question))
            while not receiving.done:
                async with asyncio.timeout(SILENCE_S):
                    length = int.from_bytes(await reader.readexactly(2), "big")
                    wire = await reader.readexactly(length)
                await asyncio.to_thread(receiving.take, wire)
        finally:
            writer.close()
        return receiving.zone


class BadAnswer(dns.exception.FormError):
    """An answer to another question."""


class _Receiving:
    """A transfer under way."""

    def __init__(self, domain: str, key: TsigKey) -> None:
        self.zone = dns.zone.Zone(f"{domain}.", relativize=True)
        self._query = dns.message.make_query(f"{domain}.", "AXFR")
        self._query.use_tsig(key.tsig)
        self.question = self._query.to_wire()
        self._inbound = dns.xfr.Inbound(self.zone)
        self._signatures: Any = None
        self.done = False

    def take(self, wire: bytes) -> None:
        """Add one message of the answer; the zone is there once it is done."""
        message = dns.message.from_wire(
            wire,
            keyring=self._query.keyring,
            request_mac=self._query.mac,
            xfr=True,
            origin=self.zone.origin,
            tsig_ctx=self._signatures,
            multi=True,
        )
        if message.id != self._query.id:
            raise BadAnswer
        self.done = self._inbound.process_message(message)
        self._signatures = message.tsig_ctx


def _framed(wire: bytes) -> bytes:
    return len(wire).to_bytes(2, "big") + wire
