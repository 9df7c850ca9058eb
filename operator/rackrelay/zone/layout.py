"""Which racks have addresses in which subnets: what stays as it is while only tiers change. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from rackrelay.addresses import Address, Network, order_of
from rackrelay.model.subnet import Subnet
from rackrelay.zone.cables import find_twins
from rackrelay.zone.rule import RackView


class PrefixIndex:
    """Finds the networks that hold an address, in one lookup for each prefix length."""

    def __init__(self, networks: Iterable[Network]) -> None:
        self._tables: dict[tuple[int, int], dict[int, Network]] = {}
        for network in networks:
            shift = network.max_prefixlen - network.prefixlen
            table = self._tables.setdefault((network.version, shift), {})
            table[int(network.network_address) >> shift] = network
        # The smallest shift is the longest prefix.
        self._order = sorted(self._tables)

    def find(self, address: Address) -> Network | None:
        """The network with the longest prefix that holds it."""
        number, version = int(address), address.version
        for place in self._order:
            if place[0] == version:
                network = self._tables[place].get(number >> place[1])
                if network is not None:
                    return network
        return None


@dataclass(frozen=True)
class Resident:
    """One rack of a subnet: its place in the list of racks, and its addresses there."""

    place: int
    addresses: tuple[Address, ...]


@dataclass(frozen=True)
class Relay:
    """A relayed subnet: the network that serves it, None when there is none, and the addresses of racks in itself."""

    server: Network | None
    ignored: tuple[Address, ...]


@dataclass(frozen=True)
class Layout:
    """Where racks have addresses. `index`: the subnets for which an address counts.

    `residents`: the racks of each of these, by their names; `networks`: those of each rack, by its place in the list.
    `twins`: managed subnet -> those of the other family on the same cables. `managed`: all that have a name.
    """

    index: PrefixIndex = field(compare=False)
    residents: Mapping[Network, Sequence[Resident]]
    networks: tuple[tuple[Network, ...], ...]
    twins: Mapping[Network, frozenset[Network]]
    relays: Mapping[Network, Relay]
    managed: frozenset[Network]


def lay_out(subnets: Sequence[Subnet], racks: Sequence[RackView]) -> Layout:
    """The Layout. An address counts for the subnet with the longest prefix that holds it, and for no relayed one."""
    own = [s for s in subnets if s.served_by is None]
    index = PrefixIndex(s.cidr for s in own)
    places = [_by_network(rack.addresses, index) for rack in racks]
    residents: dict[Network, list[Resident]] = {s.cidr: [] for s in own}
    for place in sorted(range(len(racks)), key=lambda place: racks[place].name):
        for network, addresses in places[place]:
            residents[network].append(Resident(place, addresses))
    return Layout(
        index,
        residents,
        tuple(tuple(network for network, _ in found) for found in places),
        _find_twins(own, racks, index),
        _find_relays(subnets, racks),
        frozenset(s.cidr for s in subnets if s.managed),
    )


def _find_twins(
    own: Sequence[Subnet], racks: Sequence[RackView], index: PrefixIndex
) -> Mapping[Network, frozenset[Network]]:
    cables = [[a for a in cable if a in rack.addresses] for rack in racks for cable in rack.cables]
    named = frozenset(s.cidr for s in own if s.managed)
    twins = find_twins(cables, index.find)
    return {network: named & others for network, others in twins.items() if network in named}


def _find_relays(subnets: Sequence[Subnet], racks: Iterable[RackView]) -> Mapping[Network, Relay]:
    relayed = [s for s in subnets if s.served_by is not None]
    if not relayed:
        return {}
    index = PrefixIndex(s.cidr for s in relayed)
    ignored: dict[Network, set[Address]] = {}
    for rack in racks:
        for network, addresses in _by_network(rack.addresses, index):
            ignored.setdefault(network, set()).update(addresses)
    # One that names no Subnet which could serve it has no racks; its condition says why.
    servers = {s.meta.name: s.cidr for s in subnets if s.served_by is None}
    return {
        s.cidr: Relay(servers.get(s.served_by or ""), tuple(sorted(ignored.get(s.cidr, ()), key=order_of)))
        for s in relayed
    }


def _by_network(addresses: Iterable[Address], index: PrefixIndex) -> Sequence[tuple[Network, tuple[Address, ...]]]:
    places = [(network, a) for a in addresses if (network := index.find(a)) is not None]
    if len(places) == 1:
        # Nearly always, and hashing a network takes as long as finding it.
        return [(places[0][0], (places[0][1],))]
    found: dict[Network, tuple[Address, ...]] = {}
    for network, address in places:
        found[network] = (*found.get(network, ()), address)
    return list(found.items())
