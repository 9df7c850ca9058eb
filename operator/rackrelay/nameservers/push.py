"""Bring every name server to one version of the zone: signed UPDATEs, verified; AXFR and repair for those that differ.

A message is signed once and its bytes go to all servers (`update`); a large change goes in parts (`parts`).
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from enum import Enum
from functools import cache

import dns.exception
import dns.message
import dns.rcode
import dns.tsig

from rackrelay.errors import Conflict
from rackrelay.nameservers.exchange import ask_tcp
from rackrelay.nameservers.fanout import ATTEMPTS, TIMEOUT_S, ask_all
from rackrelay.nameservers.server import NameServer
from rackrelay.nameservers.transfer import transfer
from rackrelay.nameservers.update import SignedParts, SignedUpdate, TsigKey, sign_update
from rackrelay.zone.plan import Change, Zone, plan_change

__all__ = ["Outcome", "TsigKey", "compare", "repair", "send_update", "sign_update", "transfer"]

# Larger messages would be fragmented on the way; TCP carries them whole.
MAX_UDP_BYTES = 1232
# The first of them has taken a whole large update before the last one gets it.
PARALLEL_STREAMS = 50
STREAM_TIMEOUT_S = 5 * TIMEOUT_S
CANNOT_BE_HAD = (OSError, EOFError, TimeoutError, dns.exception.DNSException)

# The server has answered, and says that our signature, key or clock is not what it accepts.
NOT_ACCEPTED = dns.tsig.PeerError

# Asked right before each UPDATE is sent; raises when another operator leads.
Fence = Callable[[], object]


class Outcome(Enum):
    """What became of one server. FAILED: it took the message and could not keep the change (SERVFAIL); BIND writes its
    journal first, so a full disk shows so."""

    UPDATED = "updated"
    UNREACHABLE = "unreachable"
    DIFFERS = "differs"
    DRIFTED = "drifted"
    REFUSED = "refused"
    FAILED = "failed"


async def send_update(
    change: Change, key: TsigKey, servers: Iterable[NameServer], fence: Fence = bool
) -> dict[NameServer, Outcome]:
    """The outcome at each server; takes as long as the slowest, at most about a second for each part of the change.

    Raises:
        Conflict: there are not enough serials for the parts.
    """
    parts, targets = SignedParts(change, key), list(servers)
    if not targets:
        return {}
    whole = await parts.part(0)
    if len(parts) == 1 and len(whole.wire) <= MAX_UDP_BYTES:
        return await _send_datagrams(whole, key, targets, fence)
    limit = asyncio.Semaphore(PARALLEL_STREAMS)
    outcomes = await asyncio.gather(*(_send_parts(parts, key, server, fence, limit) for server in targets))
    return dict(zip(targets, outcomes, strict=True))


async def repair(server: NameServer, wanted: Zone, key: TsigKey, fence: Fence = bool) -> Outcome:
    """Bring one server that serves another version to `wanted`, from what it really has.

    DIFFERS when it is ahead, which the next probe will show; DRIFTED when only a version with a greater serial can put
    it right.
    """
    try:
        served = await transfer(server, wanted.domain, key)
    except NOT_ACCEPTED:
        return Outcome.REFUSED
    except CANNOT_BE_HAD:
        return Outcome.UNREACHABLE
    if served.serial >= wanted.serial:
        return _compared(served, wanted)
    # The prerequisite names the SOA that the server holds, whose timers may be another release's.
    try:
        outcomes = await send_update(plan_change(served, wanted), key, [server], fence)
    except Conflict:
        return Outcome.DRIFTED
    return outcomes[server]


async def compare(server: NameServer, wanted: Zone, key: TsigKey) -> Outcome:
    """UPDATED when the server has this version, DRIFTED when it has other content by that serial; changes nothing."""
    try:
        return _compared(await transfer(server, wanted.domain, key), wanted)
    except NOT_ACCEPTED:
        return Outcome.REFUSED
    except CANNOT_BE_HAD:
        return Outcome.UNREACHABLE


def _compared(served: Zone, wanted: Zone) -> Outcome:
    if served == wanted:
        return Outcome.UPDATED
    return Outcome.DRIFTED if served.serial == wanted.serial else Outcome.DIFFERS


async def _send_datagrams(
    update: SignedUpdate, key: TsigKey, servers: Sequence[NameServer], fence: Fence
) -> dict[NameServer, Outcome]:
    asked = {(server.address, server.port): server for server in servers}
    answers = await ask_all(update.wire, asked, fence)

    # A thousand servers give few different answers, and it takes longer to verify one than to compare it.
    @cache
    def judge(answer: bytes) -> Outcome:
        return _judge(answer, update, key)

    outcomes = dict.fromkeys(servers, Outcome.UNREACHABLE)
    return outcomes | {server: judge(answers[place]) for place, server in asked.items() if place in answers}


async def _send_parts(
    parts: SignedParts, key: TsigKey, server: NameServer, fence: Fence, limit: asyncio.Semaphore
) -> Outcome:
    """Each server takes the parts at its own pace; one that fails at a part is left where it is, for repair."""
    outcome = Outcome.UPDATED
    async with limit:
        for number in range(len(parts)):
            outcome = await _send_stream(await parts.part(number), key, server, fence)
            if outcome is not Outcome.UPDATED:
                break
    return outcome


async def _send_stream(update: SignedUpdate, key: TsigKey, server: NameServer, fence: Fence) -> Outcome:
    for _attempt in range(ATTEMPTS):
        fence()
        try:
            return _judge(await ask_tcp(update.wire, server, STREAM_TIMEOUT_S), update, key)
        except TimeoutError:
            continue
        except (OSError, EOFError):
            return Outcome.UNREACHABLE
    return Outcome.UNREACHABLE


def _judge(answer: bytes, update: SignedUpdate, key: TsigKey) -> Outcome:
    try:
        return _outcome(answer, update, key)
    except NOT_ACCEPTED:
        return Outcome.REFUSED
    except dns.exception.DNSException:
        return Outcome.UNREACHABLE


def _outcome(answer: bytes, update: SignedUpdate, key: TsigKey) -> Outcome:
    message = dns.message.from_wire(answer, keyring=key.tsig, request_mac=update.mac)
    match message.rcode():
        case dns.rcode.NOERROR if message.had_tsig:
            return Outcome.UPDATED
        # Either it has another version or our first copy was applied and its answer was lost: its SOA tells.
        case dns.rcode.NXRRSET:
            return Outcome.DIFFERS
        case dns.rcode.SERVFAIL:
            return Outcome.FAILED
        case _:
            return Outcome.REFUSED
