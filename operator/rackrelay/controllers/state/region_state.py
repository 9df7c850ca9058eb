"""What the operator remembers of each region, which no object says: one record, dropped as a whole."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rackrelay.addresses import Network
from rackrelay.nameservers.external import Reading, Trouble
from rackrelay.nameservers.push import Outcome
from rackrelay.nameservers.server import NameServer
from rackrelay.nameservers.update import TsigKey
from rackrelay.zone.decision import Decision
from rackrelay.zone.plan import Zone
from rackrelay.zone.rule import Answer

RegionKey = tuple[str, str]

# Each holds a zone and computes for most of its time.
PARALLEL_REPAIRS = 4


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

    node: str
    networks: frozenset[Network]


@dataclass
class RegionState:
    """One region's record.

    `zone`: as it was decided and published last in this term. `stored_zone`: the zone's ConfigMap with the Zone that
    was read from it. `decision`: the last one, from which the next begins; its zone may not have been published.
    `external`: by the address of an external name server. `config_hash` and `rack_config_hashes`: the configuration
    that was rendered last, of the replicas and by RackController; absent until it is known what was. `replaced`: pod
    UID -> the rack that ran in it. `refusal`: why its zone cannot be decided until somebody changes the spec.
    """

    keys: RegionKeys | None = None
    zone: ZoneState | None = None
    stored_zone: tuple[Mapping[str, Any], Zone] | None = None
    decision: Decision | None = None
    external: dict[str, ExternalState] = field(default_factory=dict)
    config_hash: str | None = None
    rack_config_hashes: dict[str, str] = field(default_factory=dict)
    replaced: dict[str, Replaced] = field(default_factory=dict)
    repairs: dict[NameServer, Repair] = field(default_factory=dict)
    repair_limit: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(PARALLEL_REPAIRS))
    refusal: str = ""

    def begin_term(self) -> None:
        """This operator leads from now on. The Secrets may have been replaced by the leader before."""
        self.keys = None

    def end_term(self) -> None:
        """Another operator publishes from now on: what this one published says nothing of how current servers are."""
        for repair in self.repairs.values():
            repair.task.cancel()
        self.zone = None
        self.external.clear()
