"""The one owner of rack health: takes in what is seen of racks and regions, and says how good each rack is.

Every replica of the operator has one and learns by it at receipt, whether it leads or not. It knows nothing of queues:
each method that takes something in returns what changed, and callers have reconciled what depends on that.
"""

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

from rackrelay.addresses import Address
from rackrelay.controllers.health.addresses import AddressBook, counts
from rackrelay.controllers.health.groups import RackGroup, RackNode
from rackrelay.controllers.health.hearings import Hearings
from rackrelay.controllers.health.judging import judge_rack, note_judgement
from rackrelay.controllers.health.links import LinkHealth
from rackrelay.controllers.health.sighting import RegionReport, ServerKey, Sighting
from rackrelay.model.detection import FailureDetection
from rackrelay.model.observed import Pod
from rackrelay.model.rack import RackController
from rackrelay.model.region import RegionController
from rackrelay.names import COMPONENT_RACK, PORT_DNS
from rackrelay.nameservers.server import NameServer
from rackrelay.protocol.heard_document import Heard
from rackrelay.protocol.status_document import AgentStatus, PeerObservation
from rackrelay.zone.cables import Cable
from rackrelay.zone.evidence import CROWD_WINDOW_S, Judgement, lost_together
from rackrelay.zone.rule import Faults, RackView

SECOND_HAND_S = 2.0


class Changes(NamedTuple):
    """What a round of judging changed: the tier of a rack, or which single addresses machines cannot reach."""

    racks: bool
    links: bool


@dataclass
class RackHealth:
    """What is known of every name server and agent. Times are monotonic seconds."""

    _addresses: AddressBook = field(default_factory=AddressBook)
    _sightings: dict[ServerKey, Sighting] = field(default_factory=dict)
    _links: dict[ServerKey, LinkHealth] = field(default_factory=dict)
    _owners: Mapping[NameServer, RegionController] | None = None
    _hearings: Hearings = field(init=False)

    def __post_init__(self) -> None:
        self._hearings = Hearings(lambda key: self._sightings.get(key))

    def track(self, owners: Mapping[NameServer, RegionController]) -> None:
        """Look after exactly these servers; new ones begin empty, others are dropped. The region of each says how soon
        it is silent."""
        if owners is self._owners:
            # Nobody has come, gone or moved: the same object says so four times a second.
            return
        kept: dict[ServerKey, Sighting] = {}
        for server, region in owners.items():
            key = (server.namespace, server.name)
            sighting = self._sightings.get(key) or Sighting(server)
            if sighting.server is not server and sighting.server != server:
                sighting.server, sighting.asked_at = server, None
            sighting.region, sighting.detection = region.meta.name, region.detection
            kept[key] = sighting
        self._sightings, self._owners = kept, owners
        self._hearings.keep(kept.keys())
        for links in self._links.values():
            links.has_news = True

    def forget_region(self, region: ServerKey) -> None:
        """A region is gone."""
        self._links.pop(region, None)

    def asked(self, server: NameServer, now: float) -> bool:
        """Whether a server is looked after still; it is sent a probe then."""
        sighting = self.find(server.namespace, server.name)
        if sighting is not None:
            sighting.asked_at = now
        return sighting is not None

    def answered(self, server: NameServer, serial: int, now: float) -> None:
        """A probe of a server was answered."""
        sighting = self.find(server.namespace, server.name)
        if sighting is not None and sighting.server == server:
            if not sighting.answers:
                # Until now it had to get the zone from a region.
                sighting.behind_since = None
            sighting.asked_at, sighting.misses = None, 0
            sighting.answered_at, sighting.serial = now, serial

    def count_misses(self, sightings: Iterable[Sighting], now: float) -> list[Sighting]:
        """Those of the servers that have missed a probe, which counts now; and who is silent by that."""
        missed = [sighting for sighting in sightings if sighting.count_miss(now)]
        self._note_silence(now)
        return missed

    def sightings_of(self, regions: Collection[ServerKey]) -> list[Sighting]:
        """What was seen of the servers of these regions, to be read alone."""
        return [sighting for sighting in self._sightings.values() if sighting.region_key in regions]

    def on_the_verge(self) -> list[Sighting]:
        """Those who are silent unless they answer the probe that is under way."""
        return [s for s in self._sightings.values() if s.asked_at is not None and s.lacks_one_miss]

    def _note_silence(self, now: float) -> None:
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

    def take_status(self, server: NameServer, status: AgentStatus, now: float) -> bool:
        """Whether what an agent says of itself is news."""
        sighting = self.find(server.namespace, server.name)
        if sighting is None:
            return False
        sighting.status_misses = 0
        return self._learn(sighting, status, now)

    def missed_status(self, server: NameServer, problem: str = "") -> None:
        """An agent did not answer, or its answer cannot be read because of a `problem`."""
        sighting = self.find(server.namespace, server.name)
        if sighting is not None:
            sighting.status_misses += 1
            sighting.status_problem = problem

    def hear(self, replica: NameServer, heard: Heard, now: float) -> bool:
        """Whether what a region replica hears brought another status of a rack.

        It also says of the racks which it hears that their statuses are as they were.
        """
        changed = False
        for name, rack in self._hearings.take(replica, heard, now):
            sighting = self.find(replica.namespace, name)
            if sighting is not None and rack.status is not None:
                changed = self._learn(sighting, rack.status, now) or changed
        self._confirm_statuses(replica, now)
        return changed

    def _confirm_statuses(self, replica: NameServer, now: float) -> None:
        for name, rack in self._hearings.racks_of(replica).items():
            sighting = self._sightings.get((replica.namespace, name))
            if sighting is None:
                continue
            sighting.heard_at = now if rack.heard else -math.inf
            if rack.heard and sighting.is_status_older(now, SECOND_HAND_S):
                known = sighting.status or rack.status
                if known is not None:
                    self._learn(sighting, known, now)

    def _learn(self, sighting: Sighting, status: AgentStatus, now: float) -> bool:
        changed = sighting.status != status
        sighting.status, sighting.status_at, sighting.status_problem = status, now, ""
        if changed:
            self._links_of(sighting.region_key).has_news = True
        # An agent that has just started does not know its node's addresses yet.
        if changed and status.addresses is not None:
            self._addresses.learn(sighting.key, status.addresses, status.cables)
        return changed

    def remember(self, namespace: str, node: str, addresses: Iterable[Address]) -> None:
        """Addresses that a rack had before this operator started, used until its agent has been asked."""
        self._addresses.remember((namespace, node), addresses)

    def updated(self, server: NameServer, serial: int) -> None:
        """A server has confirmed a serial by its answer to an UPDATE."""
        sighting = self.find(server.namespace, server.name)
        if sighting is not None:
            sighting.serial, sighting.behind_since = serial, None

    def note_lag(self, servers: Iterable[NameServer], published: int, now: float) -> bool:
        """Whether a reachable server serves another serial than the published one; notes since when.

        Of a rack that only regions reach it is noted as well, by its own word; it gets the zone from them.
        """
        behind = False
        for server in servers:
            sighting = self.find(server.namespace, server.name)
            if sighting is None:
                continue
            reached = sighting.serial if sighting.answers else None
            serial = reached if reached is not None else self._hearings.report(sighting.key, now).serial
            if serial is None or serial == published:
                sighting.behind_since = None
            else:
                sighting.behind_since = sighting.behind_since or now
                behind = behind or reached is not None
        return behind

    def forget_lag(self) -> None:
        """Since when servers lag is measured by what this operator published, which no longer counts."""
        for sighting in self._sightings.values():
            sighting.behind_since = None

    def judge(self, region: ServerKey, groups: Iterable[RackGroup], now: float) -> Changes:
        """Judge the racks of a region, and say whether what to act on is another.

        Whoever acts on a judgement has it noted first. One that nobody noted could pass before anybody sees that it
        does, and a zone that was decided by it would stay.
        """
        groups = list(groups)
        noted = [self._note(rack, place, now) for rack, places in groups for place in places]
        links = self._links_of(region)
        changed = links.is_due(now) and links.look(self.views(groups, now), self.peer_observations(region[0], now), now)
        return Changes(any(noted), changed)

    def link_faults(self, region: ServerKey) -> Faults:
        """Addresses that machines cannot reach, as they were judged last."""
        return self._links_of(region).faults

    def views(self, groups: Iterable[RackGroup], now: float) -> list[RackView]:
        """The racks of these groups, one a node, with its tier as it was noted last and the addresses that count."""
        return [self._view(rack, place, now) for rack, places in groups for place in places]

    def _note(self, rack: RackController, place: RackNode, now: float) -> bool:
        sighting = self.find(rack.meta.namespace, place.node.name)
        return sighting is not None and note_judgement(sighting, self._judge(rack, place, sighting, now), now)

    def _judge(self, rack: RackController, place: RackNode, sighting: Sighting | None, now: float) -> Judgement:
        report = partial(self.region_report, rack.meta.namespace, place.node.name, now)
        return judge_rack(rack, place, sighting, report, now)

    def _view(self, rack: RackController, place: RackNode, now: float) -> RackView:
        """The view of a rack: the same object while what it was made of stays, so that the rule sees no change."""
        sighting = self.find(rack.meta.namespace, place.node.name)
        if sighting is None or sighting.judgement is None:
            return self._make_view(rack, place, self._judge(rack, place, sighting, now))
        status = sighting.status
        if status is None or status.addresses is None:
            # What it had before is remembered elsewhere.
            return self._make_view(rack, place, sighting.judgement)
        sources = (rack, status, sighting.judgement, self.claims(*sighting.key))
        if sighting.view is None or sighting.view[0] != sources:
            sighting.view = (sources, self._make_view(rack, place, sighting.judgement))
        return sighting.view[1]

    def _make_view(self, rack: RackController, place: RackNode, judgement: Judgement) -> RackView:
        name, key = place.node.name, (rack.meta.namespace, place.node.name)
        addresses = self.addresses(rack, name)
        return RackView(name, addresses, judgement, self.claims(*key), self.cables(*key), self.unplugged(*key))

    def find(self, namespace: str, name: str) -> Sighting | None:
        """What was seen of one server, to be read alone."""
        return self._sightings.get((namespace, name))

    def find_pod(self, pod: Pod) -> Sighting | None:
        """What was seen of a pod's name server and agent."""
        return self.find(pod.namespace, pod.node if pod.component == COMPONENT_RACK else pod.name)

    def serial(self, server: NameServer) -> int | None:
        """The serial that a reachable server answered last; None for one that cannot be reached."""
        sighting = self.find(server.namespace, server.name)
        return sighting.serial if sighting is not None and sighting.answers else None

    def is_asked(self, server: NameServer, now: float) -> bool:
        """Whether a server and its agent have been asked since the operator started, and regions if it is silent."""
        sighting = self.find(server.namespace, server.name)
        return sighting is not None and sighting.is_asked(self._hearings.report(sighting.key, now).heard)

    def heard(self, namespace: str, rack: str, now: float) -> bool | None:
        """Whether any replica of its region hears a rack; None when none of them can tell."""
        return self.region_report(namespace, rack, now).heard

    def region_report(self, namespace: str, rack: str, now: float) -> RegionReport:
        """What the replicas of its region hear of a rack."""
        return self._hearings.report((namespace, rack), now)

    def peer_observations(self, namespace: str, now: float) -> dict[str, tuple[PeerObservation, ...]]:
        """Rack -> what it hears of other racks, for those that ask any and whose status is fresh."""
        return {
            name: sighting.status.peers
            for (space, name), sighting in self._sightings.items()
            if space == namespace and sighting.status and sighting.status.peers and sighting.has_fresh_status(now)
        }

    def addresses(self, rack: RackController, node: str) -> tuple[Address, ...]:
        """The addresses of a rack that count: in `addresses.include`, not in `addresses.exclude`."""
        known = self._addresses.find((rack.meta.namespace, node))
        return tuple(a for a in known if counts(a, rack)) if rack.include or rack.exclude else known

    def claims(self, namespace: str, node: str) -> Mapping[Address, int]:
        """Address of a rack -> its place in the order in which all racks came to have theirs."""
        return self._addresses.claims((namespace, node))

    def cables(self, namespace: str, node: str) -> tuple[Cable, ...]:
        """The addresses of each interface of a rack that has some of both families."""
        return self._addresses.cables((namespace, node))

    def unplugged(self, namespace: str, node: str) -> frozenset[Address]:
        """The addresses of a rack on interfaces without a carrier."""
        sighting = self._sightings.get((namespace, node))
        return sighting.status.unplugged if sighting is not None and sighting.status is not None else frozenset()

    def _links_of(self, region: ServerKey) -> LinkHealth:
        return self._links.setdefault(region, LinkHealth())
