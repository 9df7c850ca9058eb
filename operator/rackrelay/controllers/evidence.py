"""What the operator has seen of every name server and agent, kept while it runs."""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count

from rackrelay.model.detection import FailureDetection
from rackrelay.model.observed import Address, AgentStatus, Heard, NameServer, PeerSight, RackBeat
from rackrelay.model.rack import RackController
from rackrelay.names import PORT_DNS
from rackrelay.zone.evidence import CROWD_WINDOW_S, Evidence, Judgement, lost_together
from rackrelay.zone.steadiness import Steadiness

ServerKey = tuple[str, str]

HEARING_MATURE_S = 3.0
SECOND_HAND_S = 2.0
# Longer than regions need until they can tell.
LISTENING_S = 4.0
SIGHT_MAX_AGE_S = 5.0
USUAL = FailureDetection()


@dataclass
class Sighting:
    """One server. Times are monotonic seconds.

    `asked_at`: when the probe was sent that has not been answered; None while none is out. `status_misses`: requests to
    its agent in a row without an answer. `vouched_at`: when a region last said that it hears it. `judgement`: what was
    acted on last.
    """

    server: NameServer
    detection: FailureDetection = field(default_factory=FailureDetection)
    misses: int = 0
    asked_at: float | None = None
    answered_at: float | None = None
    serial: int | None = None
    behind_since: float | None = None
    status: AgentStatus | None = None
    status_at: float | None = None
    status_misses: int = 0
    polled_at: float = -math.inf
    vouched_at: float = -math.inf
    silent_since: float | None = None
    lost_together: bool = False
    steadiness: Steadiness = field(default_factory=Steadiness)
    judgement: Judgement | None = None

    @property
    def is_silent(self) -> bool:
        """Whether its DNS has not answered so often in a row that it counts."""
        return self.misses >= self.detection.misses

    def is_asked(self, heard: bool | None) -> bool:
        """Whether its DNS and its agent have each answered, or have been silent as often as is allowed.

        `heard`: as in Evidence. Regions need a while until they can tell; for one that is silent that is waited for.
        """
        if self.is_silent:
            silence_s = (self.misses - self.detection.misses) * self.detection.interval_s
            return heard is not None or silence_s >= LISTENING_S
        return self.answered_at is not None and (self.status is not None or self.status_misses >= self.detection.misses)

    def count_miss(self, asked_until: float) -> bool:
        """Whether it has missed a probe that was sent until then; one more counts then."""
        if self.asked_at is None or self.asked_at > asked_until:
            return False
        self.misses += 1
        self.asked_at = None
        return True

    def is_status_older(self, now: float, age_s: float) -> bool:
        """Whether its agent's status is older than that, or was never seen."""
        return self.status_at is None or now - self.status_at > age_s

    def is_vouched_for(self, now: float) -> bool:
        """Whether a region hears its agent: its status is the one that is known until the region says otherwise."""
        return now - self.vouched_at <= self.detection.hearing_fresh_s

    def evidence(self, drained: bool, leaving: bool, heard: bool | None = None) -> Evidence:
        """What the zone rule needs to know. `drained`: a person asked for it; `leaving`: the pod is being deleted."""
        return Evidence(
            misses=self.misses,
            answered_at=self.answered_at,
            behind_since=self.behind_since,
            status=self.status,
            status_at=self.status_at,
            heard=heard,
            lost_together=self.lost_together,
            drained=drained,
            leaving=leaving,
        )


@dataclass
class Hearing:
    """What one region replica hears of racks. `since`: when this run of its agent was first seen; `at`: when last."""

    epoch: str
    since: float
    at: float
    racks: dict[str, RackBeat] = field(default_factory=dict)

    def can_tell(self, now: float, fresh_s: float) -> bool:
        """Whether it answered lately, and has run for long enough that racks have found it."""
        return now - self.at <= fresh_s and now - self.since >= HEARING_MATURE_S


@dataclass
class EvidenceBook:
    """Sightings by (namespace, server name)."""

    _sightings: dict[ServerKey, Sighting] = field(default_factory=dict)
    _remembered: dict[ServerKey, tuple[Address, ...]] = field(default_factory=dict)
    _claims: dict[ServerKey, dict[Address, int]] = field(default_factory=dict)
    _next_claim: Iterator[int] = field(default_factory=lambda: count(1))
    _hearings: dict[ServerKey, Hearing] = field(default_factory=dict)
    _told: tuple[str, float, list[Hearing]] = field(default_factory=lambda: ("", -math.inf, []))

    def track(
        self, servers: Iterable[NameServer], detection: Mapping[NameServer, FailureDetection] | None = None
    ) -> list[Sighting]:
        """The sightings of exactly these servers; new ones begin empty, others are dropped.

        `detection`: how soon each counts as silent, where that is not the default.
        """
        kept: dict[ServerKey, Sighting] = {}
        for server in servers:
            key = (server.namespace, server.name)
            known = self._sightings.get(key) or Sighting(server)
            if known.server is not server and known.server != server:
                known.server, known.asked_at = server, None
            known.detection = (detection or {}).get(server) or USUAL
            kept[key] = known
        self._sightings = kept
        self._hearings = {key: hearing for key, hearing in self._hearings.items() if key in kept}
        return list(kept.values())

    def note_silence(self, now: float) -> None:
        """Note since when servers have been silent, and which racks of a namespace fell silent together."""
        silent = False
        for sighting in self._sightings.values():
            sighting.lost_together = False
            if sighting.is_silent and sighting.answered_at is not None:
                sighting.silent_since = sighting.silent_since or now
                silent = True
            else:
                sighting.silent_since = None
        if silent:
            self._note_crowds()

    def _note_crowds(self) -> None:
        # Racks that are asked at different paces are not found to be silent together, whatever happened to them.
        crowds: dict[tuple[str, FailureDetection], dict[str, float | None]] = {}
        for (namespace, name), sighting in self._sightings.items():
            if sighting.server.port == PORT_DNS:
                crowds.setdefault((namespace, sighting.detection), {})[name] = sighting.silent_since
        for (namespace, detection), crowd in crowds.items():
            for name in lost_together(crowd, max(CROWD_WINDOW_S, 2 * detection.interval_s)):
                self._sightings[(namespace, name)].lost_together = True

    def hear(self, replica: NameServer, heard: Heard, now: float) -> bool:
        """Whether what a region replica hears brought another status of a rack.

        It also vouches that the statuses of racks which it hears are as they were.
        """
        key = (replica.namespace, replica.name)
        hearing = self._hearings.get(key)
        if hearing is None or hearing.epoch != heard.epoch:
            hearing = self._hearings[key] = Hearing(heard.epoch, now, now)
        before = dict(hearing.racks)
        if heard.full:
            hearing.racks.clear()
        hearing.racks.update(heard.racks)
        hearing.at = now
        changed = [
            self._learn(replica.namespace, name, beat, before.get(name), now) for name, beat in heard.racks.items()
        ]
        self._vouch(replica.namespace, hearing, now)
        return any(changed)

    def _learn(self, namespace: str, name: str, beat: RackBeat, before: RackBeat | None, now: float) -> bool:
        """Take over the status of a rack if it is news from this replica: of two, one may tell an older one again."""
        sighting = self.find(namespace, name)
        if sighting is None or not beat.heard or beat.status is None:
            return False
        if before is not None and before.heard and before.status == beat.status:
            return False
        changed = sighting.status != beat.status
        sighting.status, sighting.status_at = beat.status, now
        return changed

    def _vouch(self, namespace: str, hearing: Hearing, now: float) -> None:
        for name, beat in hearing.racks.items():
            sighting = self._sightings.get((namespace, name))
            if sighting is None:
                continue
            if not beat.heard:
                sighting.vouched_at = -math.inf
                continue
            sighting.vouched_at = now
            if sighting.is_status_older(now, SECOND_HAND_S):
                sighting.status, sighting.status_at = sighting.status or beat.status, now

    def heard(self, namespace: str, rack: str, now: float) -> bool | None:
        """Whether any region replica hears a rack; None when none of them can tell."""
        telling = self._telling(namespace, now)
        if not telling:
            return None
        for hearing in telling:
            beat = hearing.racks.get(rack)
            if beat is not None and beat.heard:
                return True
        return False

    def _telling(self, namespace: str, now: float) -> list[Hearing]:
        """The replicas of a namespace that can tell whom they hear. The same for all racks that are judged at once."""
        if self._told[:2] != (namespace, now):
            hearings = self._hearings.items()
            telling = [h for key, h in hearings if key[0] == namespace and self._can_tell(key, h, now)]
            self._told = (namespace, now, telling)
        return self._told[2]

    def _can_tell(self, replica: ServerKey, hearing: Hearing, now: float) -> bool:
        sighting = self._sightings[replica]
        return hearing.can_tell(now, sighting.detection.hearing_fresh_s) and not sighting.is_silent

    def sights(self, namespace: str, now: float) -> dict[str, tuple[PeerSight, ...]]:
        """Rack -> what it hears of other racks, for those whose status is not old."""
        return {
            name: sighting.status.peers
            for (space, name), sighting in self._sightings.items()
            if space == namespace and sighting.status is not None and not sighting.is_status_older(now, SIGHT_MAX_AGE_S)
        }

    def find(self, namespace: str, name: str) -> Sighting | None:
        """What was seen of one server."""
        return self._sightings.get((namespace, name))

    def serial(self, server: NameServer) -> int | None:
        """The serial that a reachable server answered last; None for one that cannot be reached."""
        sighting = self.find(server.namespace, server.name)
        if sighting is None or sighting.answered_at is None or sighting.is_silent:
            return None
        return sighting.serial

    def answered(self, server: NameServer, serial: int, now: float) -> None:
        """A probe of a server was answered."""
        sighting = self.find(server.namespace, server.name)
        if sighting is not None and sighting.server == server:
            sighting.asked_at, sighting.misses = None, 0
            sighting.answered_at, sighting.serial = now, serial

    def updated(self, server: NameServer, serial: int) -> None:
        """A server has confirmed a serial by its answer to an UPDATE."""
        sighting = self.find(server.namespace, server.name)
        if sighting is not None:
            sighting.serial, sighting.behind_since = serial, None

    def forget_lag(self) -> None:
        """Since when servers lag is measured by what this operator published, which no longer counts."""
        for sighting in self._sightings.values():
            sighting.behind_since = None

    def remember(self, namespace: str, node: str, addresses: Iterable[Address]) -> None:
        """Addresses that a rack had before this operator started, used until its agent has been asked."""
        merged = dict.fromkeys((*self._remembered.get((namespace, node), ()), *addresses))
        self._know((namespace, node), tuple(merged))

    def _know(self, key: ServerKey, addresses: tuple[Address, ...]) -> None:
        if self._remembered.get(key) == addresses:
            return
        before = self._claims.get(key, {})
        self._remembered[key] = addresses
        self._claims[key] = {a: before[a] if a in before else next(self._next_claim) for a in addresses}

    def claims(self, namespace: str, node: str) -> Mapping[Address, int]:
        """Address of a rack -> its place in the order in which all racks came to have theirs, or were seen to."""
        return self._claims.get((namespace, node), {})

    def addresses(self, rack: RackController, node: str) -> tuple[Address, ...]:
        """The addresses of a rack that count: with carrier, in `addresses.include`, not in `addresses.exclude`."""
        key = (rack.meta.namespace, node)
        sighting = self._sightings.get(key)
        if sighting is not None and sighting.status is not None:
            self._know(key, sighting.status.addresses)
        known = self._remembered.get(key, ())
        return tuple(a for a in known if counts(a, rack)) if rack.include or rack.exclude else known


def counts(address: Address, rack: RackController) -> bool:
    """Whether `spec.addresses` lets an address of a node count."""
    included = [n for n in rack.include if n.version == address.version]
    if rack.include and not any(address in network for network in included):
        return False
    return not any(address in n for n in rack.exclude if n.version == address.version)
