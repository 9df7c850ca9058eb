"""A fleet: regions and racks that serve one zone in one way, in network namespaces of the fleet's own.

racks (all in one namespace, an address each) -- cable -- region 0, 1, 2 (a namespace each)
"""

import asyncio
import base64
import secrets
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from rackrelay import names
from rackrelay.nameservers.push import send_update
from rackrelay.nameservers.server import NameServer
from rackrelay.nameservers.update import TsigKey
from rackrelay.zone.plan import Zone, plan_change, zone_text
from tests.bench.asker import Task
from tests.bench.watch import ask_all, watch
from tests.bench.zone import configs
from tests.bench.zone.configs import KEY_FILE, Files, Place
from tests.bench.zone.stage import Stage
from tests.dataplane.netns import Namespace, connect, give, namespaces

DOMAIN = "maas-internal"
LABEL = "10-10-0-0--24"
TTL_S = 15
REGIONS = 3
START_PATIENCE_S = 120.0
ANSWERS = (("10.10.0.2", "10.10.0.3"), ("10.10.0.3",))
_HOLE = "table inet hole { chain whole { type filter hook input priority 0; drop; }; }"

Config = Callable[[Place], Files]


@dataclass(frozen=True)
class Kind:
    """A way to serve the zone. `racks_are_primaries`: updates go to them too, and they start with a copy.

    `caches`: racks keep what regions answered, so how old their copies are counts.
    """

    name: str
    rack: Config
    region: Config
    racks_are_primaries: bool = False
    caches: bool = False


@dataclass
class Fleet:
    """A running fleet and the version of the zone that its primaries have."""

    kind: Kind
    stage: Stage
    spaces: Mapping[str, Namespace]
    racks: tuple[NameServer, ...]
    regions: tuple[NameServer, ...]
    key: TsigKey
    zone: Zone

    def change(self, patience_s: float, prime_s: float) -> list[float]:
        """Seconds from the change of one rrset until each rack answers so; `patience_s` for one that does not."""
        old, new = self.zone, _next(self.zone)
        with watch(self.enter, self._task(new, patience_s, prime_s if self.kind.caches else 0.0)) as watching:
            time.sleep(0.2)
            began = self._send(old, new, (*self.regions, *(self.racks if self.kind.racks_are_primaries else ())))
            seen = watching.finish()
        self.zone = new
        found = [seen.answered.get((rack.address, rack.port)) for rack in self.racks]
        return [patience_s if at is None else min(patience_s, at - began) for at in found]

    def publish_next(self) -> None:
        """The zone's next version is sent to everybody who takes updates; nobody is watched."""
        old, self.zone = self.zone, _next(self.zone)
        self._send(old, self.zone, (*self.regions, *(self.racks if self.kind.racks_are_primaries else ())))

    @contextmanager
    def black_holed(self, regions: Sequence[int]) -> Iterator[None]:
        """These regions hear nothing meanwhile; afterwards they are brought to the zone's newest version."""
        before = self.zone
        for region in regions:
            self._nft(region, _HOLE)
        try:
            yield
        finally:
            for region in regions:
                self._nft(region, "delete table inet hole")
        if self.zone != before:
            self._send(before, self.zone, [self.regions[region] for region in regions])

    def settle(self, patience_s: float = START_PATIENCE_S) -> None:
        """Wait until every rack answers what the zone says."""
        seen = ask_all(self.enter, replace(self._task(self.zone, patience_s, 0.0), interval_s=0.1))
        for rack in self.racks:
            if (rack.address, rack.port) not in seen.answered:
                raise RuntimeError(f"{rack.name} does not serve the zone:\n{self.stage.log(rack.name)}")

    @property
    def enter(self) -> tuple[str, ...]:
        """The start of a command that runs where the racks are."""
        return ("nsenter", f"--net={self.spaces['racks'].path}")

    def _send(self, old: Zone, new: Zone, servers: Sequence[NameServer]) -> float:
        """When the UPDATE was sent off."""
        with self.spaces["racks"].inside():
            began = time.monotonic()
            asyncio.run(send_update(plan_change(old, new), self.key, servers))
        return began

    def _task(self, zone: Zone, patience_s: float, prime_s: float) -> Task:
        servers = tuple((rack.address, rack.port) for rack in self.racks)
        # More servers are asked less often: five thousand questions a second leave the machine to those who answer.
        interval_s = max(0.01, len(servers) / 5000)
        return Task(f"{LABEL}.{DOMAIN}", "A", zone.rrsets[(LABEL, "A")], servers, interval_s, patience_s, None, prime_s)

    def _nft(self, region: int, rules: str) -> None:
        path = self.spaces[f"region{region}"].path
        subprocess.run(["nsenter", f"--net={path}", "nft", "-f", "-"], input=rules, text=True, check=True)


@contextmanager
def run_fleet(kind: Kind, stage: Stage, count: int) -> Iterator[Fleet]:
    """A fleet with so many racks, serving; its name servers end with the stage."""
    with namespaces("racks", *(f"region{n}" for n in range(REGIONS))) as spaces:
        addresses = [f"10.77.{n // 200}.{n % 200 + 1}" for n in range(count)]
        _lay_cables(spaces, addresses)
        short = kind.name.replace(" ", "-").lower()
        fleet = Fleet(
            kind=kind,
            stage=stage,
            spaces=spaces,
            racks=tuple(NameServer("bench", f"{short}-rack{n}", a, names.PORT_DNS) for n, a in enumerate(addresses)),
            regions=tuple(
                NameServer("bench", f"{short}-region{n}", _region(n), names.PORT_REGION_DNS) for n in range(REGIONS)
            ),
            key=TsigKey(configs.KEY, base64.b64encode(secrets.token_bytes(32)).decode()),
            zone=_first(count),
        )
        _start(fleet)
        fleet.settle()
        yield fleet


def _start(fleet: Fleet) -> None:
    kind = fleet.kind
    key = f'key "{fleet.key.name}" {{ algorithm hmac-sha256; secret "{fleet.key.secret}"; }};\n'
    racks, regions = (tuple(s.address for s in servers) for servers in (fleet.racks, fleet.regions))
    for server, config, is_primary in (
        *((rack, kind.rack, kind.racks_are_primaries) for rack in fleet.racks),
        *((region, kind.region, True) for region in fleet.regions),
    ):
        place = Place(server.name, server.address, regions, racks, DOMAIN)
        zone = {f"{DOMAIN}.zone": zone_text(fleet.zone)} if is_primary else {}
        fleet.stage.place(server.name, {**config(place), KEY_FILE: key, **zone})
    for number, region in enumerate(fleet.regions):
        fleet.stage.start(fleet.spaces[f"region{number}"], [region.name])
    fleet.stage.start(fleet.spaces["racks"], [rack.name for rack in fleet.racks])


def _lay_cables(spaces: Mapping[str, Namespace], racks: Sequence[str]) -> None:
    here = spaces["racks"]
    give(here, "lo", *(f"{address}/32" for address in racks))
    for number in range(REGIONS):
        there = spaces[f"region{number}"]
        connect(here, f"region{number}", there, "eth0")
        give(here, f"region{number}", f"{_gateway(number)}/24")
        give(there, "eth0", f"{_region(number)}/24")
        there.ip("route", "add", str(configs.RACK_NETWORK), "via", _gateway(number))


def _region(number: int) -> str:
    return f"10.78.{number}.2"


def _gateway(number: int) -> str:
    return f"10.78.{number}.1"


def _first(count: int) -> Zone:
    """A zone with a subnet for every two racks, and the one that will change."""
    others = {(f"10-11-{n}-0--24", "A"): (f"10.11.{n}.2", f"10.11.{n}.3") for n in range(count // 2)}
    return Zone(DOMAIN, TTL_S, 1, {(LABEL, "A"): ANSWERS[0], **others})


def _next(zone: Zone) -> Zone:
    """One rack comes or goes."""
    now = zone.rrsets[(LABEL, "A")]
    return replace(zone, serial=zone.serial + 1, rrsets={**zone.rrsets, (LABEL, "A"): ANSWERS[now == ANSWERS[0]]})
