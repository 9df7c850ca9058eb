"""Signed UPDATE messages (RFC 2136, RFC 8945): one signature for all servers."""

import asyncio
from dataclasses import dataclass

import dns.message
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.tsig
import dns.update

from rackrelay.zone.parts import split_change
from rackrelay.zone.plan import Change, Zone

# More records than this are built beside the event loop, which probes need.
QUICK_RRSETS = 20
# RFC 8945 section 6, without those that it says not to use.
ALGORITHMS = ("hmac-sha256", "hmac-sha224", "hmac-sha384", "hmac-sha512")


@dataclass(frozen=True)
class TsigKey:
    """A TSIG key; `secret` is base64 text, `algorithm` one of ALGORITHMS. Ours are all HMAC-SHA256."""

    name: str
    secret: str
    algorithm: str = ALGORITHMS[0]

    def __repr__(self) -> str:
        return f"TsigKey({self.name!r})"

    @property
    def tsig(self) -> dns.tsig.Key:
        """The key as dnspython wants it."""
        return dns.tsig.Key(self.name, self.secret, self.algorithm)


@dataclass(frozen=True)
class SignedUpdate:
    """The bytes to send and what is needed to verify the answers to them."""

    wire: bytes
    mac: bytes


class SignedParts:
    """A change as signed UPDATEs, each made when the first server gets to it.

    Raises:
        Conflict: there are not enough serials for the parts.
    """

    def __init__(self, change: Change, key: TsigKey) -> None:
        self._changes = split_change(change)
        self._key = key
        self._signed: list[SignedUpdate] = []
        self._one_at_a_time = asyncio.Lock()

    def __len__(self) -> int:
        return len(self._changes)

    async def part(self, number: int) -> SignedUpdate:
        """One of the parts, which are asked for in their order."""
        async with self._one_at_a_time:
            if number == len(self._signed):
                self._signed.append(await self._sign(self._changes[number]))
        return self._signed[number]

    async def _sign(self, change: Change) -> SignedUpdate:
        if len(change.rrsets) <= QUICK_RRSETS:
            return sign_update(change, self._key)
        return await asyncio.to_thread(sign_update, change, self._key)


def sign_update(change: Change, key: TsigKey) -> SignedUpdate:
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


def _soa(zone: Zone) -> dns.rdata.Rdata:
    return dns.rdata.from_text(dns.rdataclass.IN, dns.rdatatype.SOA, zone.soa)
