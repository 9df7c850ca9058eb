"""What the operator remembers of each region, which no object says: its keys, its zone, and who was brought to it."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from rackrelay.addresses import Network
from rackrelay.nameservers.external import Reading, Trouble
from rackrelay.nameservers.push import Outcome
from rackrelay.nameservers.server import NameServer
from rackrelay.nameservers.update import TsigKey
from rackrelay.zone.plan import Zone
from rackrelay.zone.rule import Answer

RegionKey = tuple[str, str]


@dataclass(frozen=True)
class RegionKeys:
    """A region's two keys, as read from its Secrets.

    `accepted`, `signing`: rotations of the TSIG key, see `resources/keys.py`; so they have been `since` then, a
    monotonic time, in that `version` of the Secret.
    """

    tsig: TsigKey
    agent: bytes = field(repr=False)
    accepted: tuple[int, ...] = (1,)
    signing: int = 1
    since: float = field(default=0.0, compare=False)
    version: str | None = field(default=None, compare=False)


@dataclass(frozen=True)
class ZoneState:
    """A region's zone as it was last computed and published. `problem`: why a newer one could not be, with the
    `reason` for its condition."""

    zone: Zone
    answers: Mapping[Network, Answer]
    outcomes: Mapping[NameServer, Outcome]
    problem: str = ""
    reason: str = "ZoneTooLarge"


@dataclass(frozen=True)
class ExternalState:
    """What is seen of a name server that rackrelay does not run. `reading`: what it had when that was right last.

    `read_at`: when all of it was read, a monotonic time. `digest`: that of the zone to which it was brought.
    """

    trouble: Trouble | None = None
    reading: Reading | None = None
    read_at: float = float("-inf")
    digest: str = ""


@dataclass
class Repair:
    """A repair under way, to the version with a serial. `late`: nobody waits for it any more."""

    serial: int
    task: "asyncio.Task[Outcome]"
    late: bool = False


@dataclass(frozen=True)
class Replaced:
    """A rack whose pod this operator has deleted, and the networks in which machines used it."""

    region: RegionKey
    node: str
    networks: frozenset[Network]
