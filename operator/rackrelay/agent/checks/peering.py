"""Ask the racks of each subnet for the zone's SOA, on that subnet: from this node's own address there, by its link."""

import asyncio
import secrets
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from rackrelay import names
from rackrelay.addresses import Network
from rackrelay.agent.checks import wire
from rackrelay.agent.checks.addresses import NodeAddress
from rackrelay.agent.checks.exchange import ask_udp
from rackrelay.agent.checks.peers import Peer, PeerTable, choose_sources
from rackrelay.protocol.agent_config import AgentConfig

LIST_TIMEOUT_S = 1.0


@dataclass
class Peering:
    """The sockets and what is seen through them. `clock` is monotonic."""

    clock: Callable[[], float]
    table: PeerTable = field(default_factory=PeerTable)
    _sockets: dict[Network, "PeerSocket"] = field(default_factory=dict)

    async def list_peers(self, config: AgentConfig, server: str, addresses: tuple[NodeAddress, ...]) -> None:
        """Learn from this node's own named who else serves the subnets that this node has an address in.

        Raises:
            OSError, TimeoutError, wire.BadAnswer: named does not answer; who was known before is still asked.
        """
        sources = choose_sources(addresses, config.subnets)
        self.table.keep(sources)
        await self._open(sources)
        own = {address.address for address in addresses}
        for subnet in sources:
            listed = await list_addresses(subnet, config, server)
            self.table.follow(subnet, [a for a in listed if a not in own], self.clock())

    def ask(self, config: AgentConfig) -> None:
        """One question to every peer."""
        for subnet, peers in self.table.subnets.items():
            peer_socket = self._sockets.get(subnet)
            for peer in peers.values():
                query_id = secrets.randbelow(65536)
                peer.ask(query_id, config.misses)
                if peer_socket is not None:
                    peer_socket.ask(peer, wire.ask_soa(query_id, config.domain), config.dns_port)

    def close(self) -> None:
        """Close the sockets."""
        for subnet in list(self._sockets):
            self._sockets.pop(subnet).close()

    async def _open(self, sources: Mapping[Network, NodeAddress]) -> None:
        for subnet, peer_socket in list(self._sockets.items()):
            if sources.get(subnet) != peer_socket.source:
                self._sockets.pop(subnet).close()
        for subnet, source in sources.items():
            if subnet not in self._sockets:
                # An address that is going away, or not usable yet: its peers are not heard from there.
                with suppress(OSError):
                    self._sockets[subnet] = await open_peer_socket(source, self.table.subnets.setdefault(subnet, {}))


class PeerSocket(asyncio.DatagramProtocol):
    """One socket in one subnet; answers go to the peers that they come from."""

    def __init__(self, source: NodeAddress, peers: Mapping[str, Peer]) -> None:
        self.source = source
        self._peers = peers
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        """Ready to ask."""
        self._transport = transport

    def ask(self, peer: Peer, question: bytes, port: int) -> None:
        """Send a question; one that cannot be sent is one that is not answered."""
        if self._transport is not None:
            self._transport.sendto(question, (peer.address, port))

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """An SOA from a peer, with the identifier of the last question."""
        peer = self._peers.get(addr[0])
        if peer is not None and peer.waiting is not None:
            with suppress(wire.BadAnswer):
                wire.read_serial(peer.waiting, data)
                peer.answer(peer.waiting)

    def error_received(self, exc: Exception) -> None:
        """Which peer it was about is not said; its silence counts."""

    def close(self) -> None:
        """Close the socket."""
        if self._transport is not None:
            self._transport.close()


async def open_peer_socket(source: NodeAddress, peers: Mapping[str, Peer]) -> PeerSocket:
    """A socket that sends from the address and by its link only, never through a router.

    Raises:
        OSError: the address is not usable.
    """
    sock = socket.socket(socket.AF_INET6 if ":" in source.address else socket.AF_INET, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        # Without the route to its subnet a question would leave by the default route, and another network answer it.
        with suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, source.interface.encode())
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_DONTROUTE, 1)
        sock.bind((source.address, 0))
        peer_socket = PeerSocket(source, peers)
        await asyncio.get_running_loop().create_datagram_endpoint(lambda: peer_socket, sock=sock)
    except OSError:
        sock.close()
        raise
    return peer_socket


async def list_addresses(subnet: Network, config: AgentConfig, server: str) -> list[str]:
    """The addresses that the subnet's name answers with; none when there is no such name.

    Raises:
        OSError, TimeoutError, wire.BadAnswer: the server does not answer.
    """
    query_id = secrets.randbelow(65536)
    name = names.subnet_dns_name(subnet, config.domain)
    async with asyncio.timeout(LIST_TIMEOUT_S):
        answer = await ask_udp(server, config.dns_port, wire.ask_addresses(query_id, name, subnet.version))
    return wire.read_addresses(query_id, answer, subnet.version)
