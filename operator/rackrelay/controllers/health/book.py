"""What the operator has seen of every name server and agent, and what region replicas hear of them."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from rackrelay.addresses import Address
from rackrelay.controllers.health.addresses import AddressBook, ServerKey
from rackrelay.controllers.health.sighting import NO_REPORT, RegionReport, Sighting
from rackrelay.model.detection import FailureDetection
from rackrelay.model.observed import Pod
from rackrelay.model.rack import RackController
from rackrelay.model.region import RegionController
from rackrelay.names import COMPONENT_RACK, PORT_DNS
from rackrelay.nameservers.server import NameServer
from rackrelay.protocol.heard_document import Heard, HeardRack
from rackrelay.protocol.status_document import PeerObservation
from rackrelay.zone.evidence import CROWD_WINDOW_S, lost_together

HEARING_MATURE_S = 3.0
SECOND_HAND_S = 2.0
USUAL = FailureDetection()


@dataclass
class Hearing:
    """What one region replica hears of racks. `since`: when this run of its agent was first seen; `at`: when last."""

    epoch: str
    since: float
    at: float
    racks: dict[str, HeardRack] = field(default_factory=dict)

    def can_tell(self, now: float, fresh_s: float) -> bool:
        """Whether it answered lately, and has run for long enough that racks have found it."""
        return now - self.at <= fresh_s and now - self.since >= HEARING_MATURE_S


@dataclass
class EvidenceBook:
    """Sightings by (namespace, server name)."""

    known: AddressBook = field(default_factory=AddressBook)
    _sightings: dict[ServerKey, Sighting] = field(default_factory=dict)
    _hearings: dict[ServerKey, Hearing] = field(default_factory=dict)
    _owners: Mapping[NameServer, RegionController] | None = None
    _told: tuple[ServerKey, float, list[Hearing]] = field(default_factory=lambda: (("", ""), -math.inf, []))

    def track(
        self, servers: Iterable[NameServer], owners: Mapping[NameServer, RegionController] | None = None
    ) -> list[Sighting]:
        """The sightings of exactly these servers; new ones begin empty, others are dropped.

        `owners`: the region of each, which says how soon it counts as silent; those without one are of one region.
        """
        if owners is not None and owners is self._owners:
            # Nobody has come, gone or moved: the same object says so four times a second.
            return list(self._sightings.values())
        kept: dict[ServerKey, Sighting] = {}
        for server in servers:
            key = (server.namespace, server.name)
            known = self._sightings.get(key) or Sighting(server)
            if known.server is not server and known.server != server:
                known.server, known.asked_at = server, None
            owner = (owners or {}).get(server)
            known.region, known.detection = (owner.meta.name, owner.detection) if owner else ("", USUAL)
            kept[key] = known
        self._sightings, self._owners = kept, owners
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
        self._note_heard(replica.namespace, hearing, now)
        return any(changed)

    def _learn(self, namespace: str, name: str, beat: HeardRack, before: HeardRack | None, now: float) -> bool:
        """Take over the status of a rack if it is news from this replica: of two, one may tell an older one again."""
        sighting = self.find(namespace, name)
        if sighting is None or not beat.heard or beat.status is None:
            return False
        if before is not None and before.heard and before.status == beat.status:
            return False
        changed = sighting.status != beat.status
        sighting.status, sighting.status_at = beat.status, now
        return changed

    def _note_heard(self, namespace: str, hearing: Hearing, now: float) -> None:
        for name, beat in hearing.racks.items():
            sighting = self._sightings.get((namespace, name))
            if sighting is None:
                continue
            if not beat.heard:
                sighting.heard_at = -math.inf
                continue
            sighting.heard_at = now
            if sighting.is_status_older(now, SECOND_HAND_S):
                sighting.status, sighting.status_at = sighting.status or beat.status, now

    def heard(self, namespace: str, rack: str, now: float) -> bool | None:
        """Whether any replica of its region hears a rack; None when none of them can tell."""
        return self.region_report(namespace, rack, now).heard

    def region_report(self, namespace: str, rack: str, now: float) -> RegionReport:
        """What the replicas of its region hear of a rack."""
        sighting = self._sightings.get((namespace, rack))
        telling = self._telling((namespace, sighting.region if sighting else ""), now)
        if not telling:
            return NO_REPORT
        beats = [beat for hearing in telling if (beat := hearing.racks.get(rack)) is not None and beat.heard]
        # Of two replicas one may not have heard yet that named answers again.
        return RegionReport(bool(beats), max((b.serial for b in beats if b.serial is not None), default=None))

    def _telling(self, region: ServerKey, now: float) -> list[Hearing]:
        """The replicas of a region that can tell whom they hear. The same for all racks that are judged at once."""
        if self._told[:2] != (region, now):
            self._told = (region, now, [h for key, h in self._hearings.items() if self._can_tell(key, h, region, now)])
        return self._told[2]

    def _can_tell(self, replica: ServerKey, hearing: Hearing, region: ServerKey, now: float) -> bool:
        # A replica may answer once more after it is gone, or before it is tracked.
        sighting = self._sightings.get(replica)
        if sighting is None or sighting.region_key != region or sighting.is_silent:
            return False
        return hearing.can_tell(now, sighting.detection.hearing_fresh_s)

    def peer_observations(self, namespace: str, now: float) -> dict[str, tuple[PeerObservation, ...]]:
        """Rack -> what it hears of other racks, for those that ask any and whose status is fresh."""
        return {
            name: sighting.status.peers
            for (space, name), sighting in self._sightings.items()
            if space == namespace and sighting.status and sighting.status.peers and sighting.has_fresh_status(now)
        }

    def sightings(self) -> Iterable[Sighting]:
        """What was seen of every server."""
        return self._sightings.values()

    def find(self, namespace: str, name: str) -> Sighting | None:
        """What was seen of one server."""
        return self._sightings.get((namespace, name))

    def find_pod(self, pod: Pod) -> Sighting | None:
        """What was seen of a pod's name server and agent."""
        return self.find(pod.namespace, pod.node if pod.component == COMPONENT_RACK else pod.name)

    def serial(self, server: NameServer) -> int | None:
        """The serial that a reachable server answered last; None for one that cannot be reached."""
        sighting = self.find(server.namespace, server.name)
        return sighting.serial if sighting is not None and sighting.answers else None

    def answered(self, server: NameServer, serial: int, now: float) -> None:
        """A probe of a server was answered."""
        sighting = self.find(server.namespace, server.name)
        if sighting is not None and sighting.server == server:
            if not sighting.answers:
                # Until now it had to get the zone from a region.
                sighting.behind_since = None
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
        self.known.remember((namespace, node), addresses)

    def addresses(self, rack: RackController, node: str) -> tuple[Address, ...]:
        """The addresses of a rack that count: in `addresses.include`, not in `addresses.exclude`."""
        key = (rack.meta.namespace, node)
        sighting = self._sightings.get(key)
        # An agent that has just started does not know its node's addresses yet.
        if sighting is not None and sighting.status is not None and sighting.status.addresses is not None:
            self.known.learn(key, sighting.status.addresses, sighting.status.cables)
        known = self.known.find(key)
        return tuple(a for a in known if counts(a, rack)) if rack.include or rack.exclude else known

    def unplugged(self, namespace: str, node: str) -> frozenset[Address]:
        """The addresses of a rack on interfaces without a carrier."""
        sighting = self._sightings.get((namespace, node))
        return sighting.status.unplugged if sighting is not None and sighting.status is not None else frozenset()


def counts(address: Address, rack: RackController) -> bool:
    """Whether `spec.addresses` lets an address of a node count."""
    included = [n for n in rack.include if n.version == address.version]
    if rack.include and not any(address in network for network in included):
        return False
    return not any(address in n for n in rack.exclude if n.version == address.version)
