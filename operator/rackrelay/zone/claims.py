"""The same address on several racks of a subnet: whose it is. Pure."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from rackrelay.addresses import Address


@dataclass(frozen=True)
class Claim:
    """A rack that says it has an address. `order` is smaller the earlier it first said so."""

    rack: str
    reachable: bool
    order: int


@dataclass(frozen=True)
class Dispute:
    """An address that several racks have: only its `holder` is given to machines under it."""

    address: Address
    holder: str
    others: tuple[str, ...]


def find_disputes(claims: Mapping[Address, Collection[Claim]]) -> Iterator[Dispute]:
    """One Dispute for each address that several racks claim.

    The first to claim an address holds it, until nobody reaches that rack any more: what an unreachable one said last
    must not keep an address from the rack to which it was moved. A rack that two RackControllers select has no dispute
    with itself.
    """
    for address, found in claims.items():
        ranked = sorted(found, key=lambda c: (not c.reachable, c.order, c.rack))
        holder, *others = dict.fromkeys(claim.rack for claim in ranked)
        if others:
            yield Dispute(address, holder, tuple(others))
