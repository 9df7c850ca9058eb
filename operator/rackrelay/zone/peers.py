"""Which racks are cut off from the other racks of a subnet: the third vantage point. Pure."""

from collections.abc import Iterator, Mapping, Sequence

from rackrelay.addresses import Address, Network
from rackrelay.protocol.status_document import PeerObservation

PeerObservations = Mapping[str, Sequence[PeerObservation]]

# Two racks that do not hear each other cannot tell which of them is cut off.
MIN_OTHERS = 2


def cut_off_addresses(observations: PeerObservations, addresses: Mapping[str, Sequence[Address]]) -> frozenset[Address]:
    """The addresses of racks that no other rack of the subnet hears there, or that hear none of the others.

    Only racks that hear somebody on the subnet bear witness: their own cables are known to be whole.
    `observations`: rack -> what it hears of others; `addresses`: rack -> its own.
    """
    return _unheard(observations) | frozenset(_deaf(observations, addresses))


def _unheard(observations: PeerObservations) -> frozenset[Address]:
    witnesses = {(rack, sight.subnet) for rack, seen in observations.items() for sight in seen if sight.heard}
    votes: dict[Address, list[bool]] = {}
    for rack, seen in observations.items():
        for sight in seen:
            if (rack, sight.subnet) in witnesses:
                votes.setdefault(sight.address, []).append(sight.heard)
    return frozenset(a for a, heard in votes.items() if len(heard) >= MIN_OTHERS and not any(heard))


def _deaf(observations: PeerObservations, addresses: Mapping[str, Sequence[Address]]) -> Iterator[Address]:
    # Nobody asks for long after a rack that has left the name; that it hears nobody keeps it out.
    heard_by_others = {sight.address for seen in observations.values() for sight in seen if sight.heard}
    for rack, seen in observations.items():
        for subnet, others in _by_subnet(seen).items():
            silent = [sight for sight in others if not sight.heard and sight.address in heard_by_others]
            if len(silent) >= MIN_OTHERS and len(silent) == len(others):
                yield from (a for a in addresses.get(rack, ()) if a.version == subnet.version and a in subnet)


def _by_subnet(seen: Sequence[PeerObservation]) -> dict[Network, list[PeerObservation]]:
    found: dict[Network, list[PeerObservation]] = {}
    for sight in seen:
        found.setdefault(sight.subnet, []).append(sight)
    return found
