"""A large change in parts that each fit into one UPDATE, each with a serial of its own. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from rackrelay.errors import Conflict
from rackrelay.zone.plan import Change, RrsetKey, Zone
from rackrelay.zone.rule import Rrsets

# A DNS message has at most 65,535 bytes. Parts are smaller, so that a server is never busy for long with one of them:
# about 500 names with two addresses each.
PART_BYTES = 2**15
# What still fits if there are not enough serials for parts of that size.
WHOLE_BYTES = 60_000
_RECORD_BYTES = 12
_ADDRESS_BYTES = {"A": 4, "AAAA": 16}


def split_change(change: Change) -> tuple[Change, ...]:
    """The change in parts, whose serials are the last ones before the new serial, which the last part has.

    Raises:
        Conflict: there are fewer serials between the two versions than parts.
    """
    room = change.new.serial - change.old.serial
    for limit in (PART_BYTES, WHOLE_BYTES):
        pieces = list(_cut(change.rrsets, limit)) or [{}]
        if len(pieces) <= room:
            return tuple(_chain(change, pieces))
    raise Conflict(f"{len(pieces)} updates need as many serials, and {change.new.serial} is only {room} ahead")


def serials_needed(*contents: Rrsets) -> int:
    """How many serials a new version must be ahead, so that parts can turn any of the contents into any other."""
    weights = [rrset_bytes(key, addresses) for content in contents for key, addresses in content.items()]
    return 1 + sum(weights) // (PART_BYTES - max(weights, default=0)) if sum(weights) > PART_BYTES else 1


def _cut(rrsets: Mapping[RrsetKey, tuple[str, ...]], limit: int) -> Iterator[Rrsets]:
    piece: Rrsets = {}
    size = 0
    for key, addresses in rrsets.items():
        weight = rrset_bytes(key, addresses)
        if piece and size + weight > limit:
            yield piece
            piece, size = {}, 0
        piece[key] = addresses
        size += weight
    if piece:
        yield piece


def _chain(change: Change, pieces: list[Rrsets]) -> Iterator[Change]:
    before = change.old
    for serial, piece in enumerate(pieces, change.new.serial - len(pieces) + 1):
        after = change.new if serial == change.new.serial else _after(before, change.new, serial, piece)
        yield Change(before, after, piece)
        before = after


def _after(before: Zone, new: Zone, serial: int, piece: Rrsets) -> Zone:
    rrsets = {key: addresses for key, addresses in {**before.rrsets, **piece}.items() if addresses}
    return replace(new, serial=serial, rrsets=rrsets)


def rrset_bytes(key: RrsetKey, addresses: tuple[str, ...]) -> int:
    """About so many bytes of an UPDATE: the name once, then a pointer to it in each record."""
    label, kind = key
    return len(label) + _RECORD_BYTES + len(addresses) * (_RECORD_BYTES + _ADDRESS_BYTES.get(kind, 0))
