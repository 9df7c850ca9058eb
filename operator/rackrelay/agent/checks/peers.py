"""What the racks of a subnet see of each other on that subnet: who is asked, and who still answers.

Pure but for nothing: peering.py sends and receives. The clock is an argument.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address

from rackrelay.addresses import Network
from rackrelay.agent.checks.addresses import NodeAddress

# A rack that was just withdrawn may be the one that nobody but its peers can see.
ASK_AFTER_LEAVING_S = 60.0
# In each subnet. One that is not heard is asked on: forgotten, it would count as no longer missed, come back into the
# name, and be missed anew.
UNLISTED_LIMIT = 64
# Each rack asks all others: with forty of them in all this is the region's default pace.
QUESTIONS_PER_S = 160


@dataclass
class Peer:
    """One address of another rack. `heard` is None until it has answered or missed enough questions."""

    address: str
    listed_at: float
    heard: bool | None = None
    misses: int = 0
    waiting: int | None = None

    def ask(self, query_id: int, misses_allowed: int) -> None:
        """A question is on its way; the one before it was not answered if it is still waited for."""
        if self.waiting is not None:
            self.misses += 1
            if self.misses >= misses_allowed:
                self.heard = False
        self.waiting = query_id

    def answer(self, query_id: int) -> None:
        """An answer came. One to an earlier question comes too late to count."""
        if query_id == self.waiting:
            self.waiting, self.misses, self.heard = None, 0, True


@dataclass
class PeerTable:
    """The peers on each subnet in which this node has an address."""

    subnets: dict[Network, dict[str, Peer]] = field(default_factory=dict)

    def follow(self, subnet: Network, listed: Iterable[str], now: float) -> None:
        """The addresses that the subnet's name answers with, without this node's own."""
        peers = self.subnets.setdefault(subnet, {})
        for address in listed:
            peers.setdefault(address, Peer(address, now)).listed_at = now
        unlisted = [peer for peer in peers.values() if now - peer.listed_at > ASK_AFTER_LEAVING_S]
        missed = sorted((p for p in unlisted if p.heard is False), key=lambda p: p.listed_at, reverse=True)
        kept = {peer.address for peer in missed[:UNLISTED_LIMIT]}
        for peer in unlisted:
            if peer.address not in kept:
                del peers[peer.address]

    def interval_s(self, pace_s: float) -> float:
        """Seconds between two questions to the same peer: the region's pace, or a slower one in a crowd."""
        return max(pace_s, sum(map(len, self.subnets.values())) / QUESTIONS_PER_S)

    def keep(self, subnets: Iterable[Network]) -> None:
        """Forget the subnets in which this node has no address any more."""
        for subnet in self.subnets.keys() - set(subnets):
            del self.subnets[subnet]

    def observations(self) -> list[tuple[str, str, bool]]:
        """(subnet, address, heard) of each peer; those of whom nothing is known yet are left out."""
        return [
            (str(subnet), peer.address, peer.heard)
            for subnet, peers in sorted(self.subnets.items(), key=lambda item: _order(item[0]))
            for peer in sorted(peers.values(), key=lambda peer: ip_address(peer.address).packed)
            if peer.heard is not None
        ]


def choose_sources(addresses: Sequence[NodeAddress], subnets: Iterable[Network]) -> Mapping[Network, NodeAddress]:
    """Of the node's addresses the one to ask from, in each subnet that it has one in. The longest prefix wins."""
    nested = sorted(subnets, key=lambda net: net.prefixlen, reverse=True)
    found: dict[Network, NodeAddress] = {}
    for address in addresses:
        ip = ip_address(address.address)
        subnet = next((net for net in nested if net.version == ip.version and ip in net), None)
        if subnet is not None:
            found.setdefault(subnet, address)
    return found


def _order(subnet: Network) -> tuple[int, bytes, int]:
    return subnet.version, subnet.network_address.packed, subnet.prefixlen
