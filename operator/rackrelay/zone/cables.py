"""Which Subnets of IPv4 and IPv6 share a cable, as the interfaces of racks show. Pure."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import permutations

from rackrelay.addresses import Address, Network

Cable = Sequence[Address]


def find_twins(cables: Iterable[Cable], find: Callable[[Address], Network | None]) -> Mapping[Network, set[Network]]:
    """Network -> those of the other family that share a cable with it; only for networks that have any.

    `cables`: the addresses of one interface of a rack each. `find`: the network for which an address counts.
    """
    twins: dict[Network, set[Network]] = {}
    for cable in cables:
        networks = {network for address in cable if (network := find(address)) is not None}
        for network, other in permutations(networks, 2):
            if network.version != other.version:
                twins.setdefault(network, set()).add(other)
    return twins
