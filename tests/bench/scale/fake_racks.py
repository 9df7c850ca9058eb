"""Fake racks and a fake region replica: name servers and agents of as many addresses as wanted, in one process.

The site comes as one line of JSON on standard input, `ready` is printed when everybody listens, and each further line,
an address, LOSE or DEAFEN, is answered with the counts so far. All fakes share one copy of the zone: what one applies,
all have.
"""

import asyncio
import json
import random
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import dns.opcode

from rackrelay import names
from rackrelay.nameservers.update import TsigKey
from rackrelay.zone.plan import Zone, parse_zone_text
from tests.bench.scale.fake_agents import FakeAgents
from tests.fakes.agent import build_document
from tests.fakes.name_server import FakeNameServer

# From now on datagrams are lost; the region says nothing of whom it hears.
LOSE, DEAFEN = "lose", "deafen"
SEED = 1


@dataclass(frozen=True)
class FakeRack:
    """One rack: its node's name and address, and its interfaces as text, such as 10.0.0.2/24."""

    name: str
    address: str
    interfaces: tuple[str, ...]

    @property
    def provisioning(self) -> str:
        """Its first address for machines."""
        return self.interfaces[0].partition("/")[0]


@dataclass(frozen=True)
class Site:
    """What the process is told. `region` is the address of the one replica; `loss`: so great a share of all datagrams
    is lost, in each direction, after LOSE."""

    domain: str
    zone: str
    key_name: str
    key_secret: str
    agent_key: str
    config_hash: str
    region: str
    racks: tuple[FakeRack, ...]
    loss: float = 0.0


@dataclass
class Counts:
    """What was asked of all fakes together; `update_at` is when the last new UPDATE came, on the monotonic clock.

    `has`: whether the zone has the address that was asked for; `addresses`: how many it has; `withdrawn`: how many
    have been taken out of it, each time counted; `lost`: the datagrams that were.
    """

    probes: int = 0
    updates: int = 0
    update_at: float = 0.0
    polls: int = 0
    has: bool = False
    addresses: int = 0
    withdrawn: int = 0
    lost: int = 0


class FakeNameServers(FakeNameServer):
    """The name servers of all addresses. One UPDATE is worked on once, however many get its bytes; then `changed` is
    called."""

    def __init__(self, zone: Zone, key: TsigKey, counts: Counts, changed: Callable[[int], None]) -> None:
        super().__init__(zone, key)
        self.counts = counts
        self._changed = changed
        self._updated: dict[bytes, list[bytes]] = {}
        self._queried: dict[bytes, list[bytes]] = {}

    def replies(self, wire: bytes) -> list[bytes]:
        """The messages that answer one."""
        if (wire[2] >> 3) & 0xF != dns.opcode.UPDATE:
            return self._query(wire)
        if wire not in self._updated:
            self.counts.updates += 1
            self.counts.update_at = time.monotonic()
            before = _listed(self.zone)
            self._updated = {wire: self._answers(wire)}
            self.counts.withdrawn += len(before - _listed(self.zone))
            self._queried = {}
            self._changed(self.zone.serial)
        return self._updated[wire]

    def _query(self, wire: bytes) -> list[bytes]:
        self.counts.probes += 1
        # Whatever is signed is answered anew; a probe differs from the one before in its first two bytes alone.
        if int.from_bytes(wire[10:12], "big"):
            return self._answers(wire)
        if wire[2:] not in self._queried:
            self._queried[wire[2:]] = [answer[2:] for answer in self._answers(wire)]
        return [wire[:2] + answer for answer in self._queried[wire[2:]]]


class Losses:
    """Says of each datagram whether it is lost: the same ones in each run that asks in the same order."""

    def __init__(self, share: float, counts: Counts) -> None:
        self.begun = False
        self._share, self._counts = share, counts
        self._chance = random.Random(SEED)

    def is_lost(self) -> bool:
        """Asked once for each datagram."""
        lost = self.begun and self._chance.random() < self._share
        self._counts.lost += lost
        return lost


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, servers: FakeNameServers, is_lost: Callable[[], bool]) -> None:
        self._servers, self._is_lost = servers, is_lost

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        for answer in () if self._is_lost() else self._servers.replies(data)[:1]:
            if not self._is_lost():
                self._transport.sendto(answer, addr)


async def serve(site: Site) -> None:
    """Everybody listens until standard input ends."""
    counts = Counts()
    key = TsigKey(site.key_name, site.key_secret)
    zone = parse_zone_text(site.zone, site.domain)
    agents = FakeAgents(site.agent_key.encode(), _documents(site), zone.serial)
    servers = FakeNameServers(zone, key, counts, agents.serve)
    loop, losses = asyncio.get_running_loop(), Losses(site.loss, counts)
    for port, addresses in ((names.PORT_DNS, [r.address for r in site.racks]), (names.PORT_REGION_DNS, [site.region])):
        for address in addresses:
            await loop.create_datagram_endpoint(lambda: _Datagrams(servers, losses.is_lost), local_addr=(address, port))
        await asyncio.start_server(lambda reader, writer: _stream(servers, reader, writer), addresses, port)
    await loop.create_server(agents.connect, [site.region, *(r.address for r in site.racks)], names.PORT_AGENT)
    print("ready", flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        losses.begun = losses.begun or line.strip() == LOSE
        agents.deaf = agents.deaf or line.strip() == DEAFEN
        counts.polls = agents.polls
        listed = _listed(servers.zone)
        counts.has, counts.addresses = line.strip() in listed, len(listed)
        print(json.dumps(asdict(counts)), flush=True)


def _listed(zone: Zone) -> set[str]:
    return {address for addresses in zone.rrsets.values() for address in addresses}


async def _stream(servers: FakeNameServers, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        length = int.from_bytes(await reader.readexactly(2), "big")
        for answer in servers.replies(await reader.readexactly(length)):
            writer.write(len(answer).to_bytes(2, "big") + answer)
        await writer.drain()
    except (OSError, asyncio.IncompleteReadError):
        return
    finally:
        writer.close()


def _documents(site: Site) -> Mapping[str, tuple[str, dict[str, Any]]]:
    """Address -> (name, status document) of each agent; the region's has no interfaces."""
    racks = {
        rack.address: (rack.name, build_document(*rack.interfaces, config_hash=site.config_hash, node=rack.name))
        for rack in site.racks
    }
    return {site.region: ("", build_document()), **racks}


def read_site(text: str) -> Site:
    """The Site in one line of JSON."""
    data = json.loads(text)
    racks = tuple(FakeRack(r["name"], r["address"], tuple(r["interfaces"])) for r in data.pop("racks"))
    return Site(**data, racks=racks)


if __name__ == "__main__":
    asyncio.run(serve(read_site(sys.stdin.readline())))
