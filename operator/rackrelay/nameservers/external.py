"""Publish the zone at a name server that rackrelay does not run: read what it has, edit what is ours, say what fails.

Its zone has a serial of its own, which it raises itself with each UPDATE (RFC 2136 section 3.6), so that whatever its
owner does there holds up nobody else. Each edit's prerequisite is the rrset that it replaces (section 2.4.2).
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.tsig
import dns.update
import dns.xfr

from rackrelay.nameservers.exchange import ask_tcp, ask_udp
from rackrelay.nameservers.server import NameServer
from rackrelay.nameservers.transfer import fetch_records
from rackrelay.nameservers.update import TsigKey
from rackrelay.zone.external_plan import Content, Edit, cut_edits, find_own, plan_edits, want
from rackrelay.zone.plan import Zone

ATTEMPTS = 3
TIMEOUT_S = 1.0
# A server may write the journal before it answers.
UPDATE_TIMEOUT_S = 5.0

KEY_REFUSED = "KeyRefused"
ZONE_MISSING = "ZoneMissing"
TRANSFER_REFUSED = "TransferRefused"
UPDATE_REFUSED = "UpdateRefused"
UNREACHABLE = "Unreachable"
CHANGING = "Changing"

# Asked right before each UPDATE is sent; raises when another operator leads.
Fence = Callable[[], object]


@dataclass(frozen=True)
class Trouble:
    """Why a server does not have the zone: a CamelCase reason, and words that go on after the server's address."""

    reason: str
    words: str


class Unpublished(Exception):
    """The server does not have the zone as it should."""

    def __init__(self, reason: str, words: str) -> None:
        super().__init__(words)
        self.trouble = Trouble(reason, words)


@dataclass(frozen=True)
class Reading:
    """What is ours at a server, by the serial that it had then."""

    serial: int
    content: Content


@dataclass(frozen=True)
class External:
    """A zone at one server, and the key by which it may be read and changed."""

    server: NameServer
    domain: str
    key: TsigKey


async def read_external(place: External, known: Reading | None = None) -> Reading:
    """What is ours at the server now; `known` itself when the serial is still the same.

    Raises:
        Unpublished: it does not answer, refuses the key or a transfer, or has no such zone.
    """
    serial = await _ask_serial(place)
    if known is not None and known.serial == serial:
        return known
    try:
        records = await fetch_records(place.server, place.domain, place.key)
        content = await asyncio.to_thread(find_own, records)
    except dns.xfr.TransferError as error:
        words = f"refuses a transfer ({dns.rcode.to_text(error.rcode)})"
        raise Unpublished(TRANSFER_REFUSED, words) from error
    except dns.exception.DNSException as error:
        raise Unpublished(TRANSFER_REFUSED, f"transfers the zone badly ({error or type(error).__name__})") from error
    except (OSError, EOFError, TimeoutError) as error:
        raise Unpublished(UNREACHABLE, "breaks a transfer off; TCP has to pass too") from error
    return Reading(records.find_rdataset("@", "SOA")[0].serial, content)


async def edit_external(place: External, reading: Reading, wanted: Zone, fence: Fence) -> tuple[str, ...]:
    """The labels that were edited, in order, so that the server has what is wanted.

    Raises:
        Unpublished: it does not answer or refuses, or somebody else has changed what was read.
    """
    edits = plan_edits(reading.content, want(wanted))
    for part in cut_edits(edits):
        message = build_update(place, part)
        wire = await asyncio.to_thread(message.to_wire, max_size=65535)
        fence()
        _check_update(place, await _send(wire, place.server), message)
    return tuple(sorted({edit.key[0] for edit in edits}))


def build_update(place: External, edits: Sequence[Edit]) -> dns.update.UpdateMessage:
    """One UPDATE with these edits, to be signed when it is written."""
    message = dns.update.UpdateMessage(f"{place.domain}.", keyring=place.key.tsig)
    for edit in edits:
        label, kind = edit.key
        if edit.before is None:
            message.absent(label, kind)
        elif edit.before.addresses:
            for address in edit.before.addresses:
                message.present(label, kind, address)
        else:
            message.present(label, kind)
    for edit in edits:
        label, kind = edit.key
        message.delete(label, kind)
        for address in edit.after.addresses if edit.after else ():
            message.add(label, edit.after.ttl_s if edit.after else 0, kind, address)
    return message


async def _ask_serial(place: External) -> int:
    query = dns.message.make_query(f"{place.domain}.", "SOA", flags=0)
    query.use_tsig(place.key.tsig)
    answer = _parse(place, await _ask(query.to_wire(), place.server), query)
    if answer.rcode() == dns.rcode.NOERROR and answer.flags & dns.flags.AA:
        for rrset in answer.answer:
            if rrset.rdtype == dns.rdatatype.SOA and rrset.name == query.question[0].name:
                return int(rrset[0].serial)
    raise Unpublished(ZONE_MISSING, f"does not serve the zone {place.domain} ({dns.rcode.to_text(answer.rcode())})")


async def _ask(wire: bytes, server: NameServer) -> bytes:
    """The answer over UDP. A server that is being restarted does not answer for a moment, or its node refuses."""
    loop = asyncio.get_running_loop()
    for _ in range(ATTEMPTS):
        again_at = loop.time() + TIMEOUT_S
        try:
            return await ask_udp(wire, server, TIMEOUT_S)
        except TimeoutError:
            continue
        except OSError:
            await asyncio.sleep(again_at - loop.time())
    raise Unpublished(UNREACHABLE, "does not answer")


async def _send(wire: bytes, server: NameServer) -> bytes:
    """The answer to an UPDATE. It is not sent again: what is read next tells whether it was applied."""
    try:
        return await ask_tcp(wire, server, UPDATE_TIMEOUT_S)
    except (OSError, EOFError, TimeoutError) as error:
        raise Unpublished(UNREACHABLE, "does not answer an update over TCP") from error


def _parse(place: External, wire: bytes, request: dns.message.Message) -> dns.message.Message:
    """The answer to a signed request. Who knows the key signs refusals too (RFC 8945 section 5.3)."""
    key = place.key
    try:
        return dns.message.from_wire(wire, keyring=key.tsig, request_mac=request.mac or b"")
    except dns.tsig.PeerBadKey as error:
        raise Unpublished(KEY_REFUSED, f'has no key "{key.name}" of algorithm {key.algorithm}') from error
    except dns.tsig.PeerBadSignature as error:
        raise Unpublished(KEY_REFUSED, f'has another secret for the key "{key.name}"') from error
    except (dns.tsig.PeerBadTime, dns.tsig.BadTime) as error:
        raise Unpublished(KEY_REFUSED, "has a clock that is minutes away from the operator's") from error
    except dns.exception.DNSException as error:
        words = f'does not sign its answers with the key "{key.name}" ({error or type(error).__name__})'
        raise Unpublished(KEY_REFUSED, words) from error


def _check_update(place: External, wire: bytes, message: dns.update.UpdateMessage) -> None:
    match _parse(place, wire, message).rcode():
        case dns.rcode.NOERROR:
            return
        case dns.rcode.NXRRSET | dns.rcode.YXRRSET | dns.rcode.NXDOMAIN | dns.rcode.YXDOMAIN:
            raise Unpublished(CHANGING, "was changed by somebody else meanwhile; it is read again")
        case rcode:
            raise Unpublished(UPDATE_REFUSED, f"refuses an update ({dns.rcode.to_text(rcode)})")
