"""What the operator has seen of every name server and agent, kept while it runs."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from rackrelay.model.observed import Address, AgentStatus, NameServer
from rackrelay.model.rack import RackController
from rackrelay.names import PORT_DNS
from rackrelay.zone.evidence import Evidence, lost_together
from rackrelay.zone.steadiness import Steadiness

ServerKey = tuple[str, str]


@dataclass
class Sighting:
    """One server. `waiting`: a probe is out that has not been answered. `status_misses`: requests to its agent in a row
    without an answer. Times are monotonic seconds."""

    server: NameServer
    misses: int = 0
    waiting: bool = False
    answered_at: float | None = None
    serial: int | None = None
    behind_since: float | None = None
    status: AgentStatus | None = None
    status_at: float | None = None
    status_misses: int = 0
    silent_since: float | None = None
    lost_together: bool = False
    steadiness: Steadiness = field(default_factory=Steadiness)

    def is_asked(self, misses_allowed: int) -> bool:
        """Whether its DNS and its agent have each answered, or have been silent as often as is allowed."""
        if self.misses >= misses_allowed:
            return True
        return self.answered_at is not None and (self.status is not None or self.status_misses >= misses_allowed)

    def evidence(self, drained: bool, leaving: bool) -> Evidence:
        """What the zone rule needs to know. `drained`: a person asked for it; `leaving`: the pod is being deleted."""
        return Evidence(
            misses=self.misses,
            answered_at=self.answered_at,
            behind_since=self.behind_since,
            status=self.status,
            status_at=self.status_at,
            lost_together=self.lost_together,
            drained=drained,
            leaving=leaving,
        )


@dataclass
class EvidenceBook:
    """Sightings by (namespace, server name)."""

    misses_allowed: int
    _sightings: dict[ServerKey, Sighting] = field(default_factory=dict)
    _remembered: dict[ServerKey, tuple[Address, ...]] = field(default_factory=dict)

    def track(self, servers: Iterable[NameServer]) -> list[Sighting]:
        """The sightings of exactly these servers; new ones begin empty, others are dropped."""
        kept: dict[ServerKey, Sighting] = {}
        for server in servers:
            key = (server.namespace, server.name)
            known = self._sightings.get(key) or Sighting(server)
            if known.server != server:
                known.server, known.waiting = server, False
            kept[key] = known
        self._sightings = kept
        return list(kept.values())

    def note_silence(self, now: float) -> None:
        """Note since when servers have been silent, and which racks of a namespace fell silent together."""
        crowds: dict[str, dict[str, float | None]] = {}
        for (namespace, name), sighting in self._sightings.items():
            silent = sighting.answered_at is not None and sighting.misses >= self.misses_allowed
            sighting.silent_since = (sighting.silent_since or now) if silent else None
            if sighting.server.port == PORT_DNS:
                crowds.setdefault(namespace, {})[name] = sighting.silent_since
        together = {(namespace, name) for namespace, crowd in crowds.items() for name in lost_together(crowd)}
        for key, sighting in self._sightings.items():
            sighting.lost_together = key in together

    def find(self, namespace: str, name: str) -> Sighting | None:
        """What was seen of one server."""
        return self._sightings.get((namespace, name))

    def serial(self, server: NameServer) -> int | None:
        """The serial that a reachable server answered last; None for one that cannot be reached."""
        sighting = self.find(server.namespace, server.name)
        if sighting is None or sighting.answered_at is None or sighting.misses >= self.misses_allowed:
            return None
        return sighting.serial

    def answered(self, server: NameServer, serial: int, now: float) -> None:
        """A probe of a server was answered."""
        sighting = self.find(server.namespace, server.name)
        if sighting is not None and sighting.server == server:
            sighting.waiting, sighting.misses = False, 0
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
        self._remembered[(namespace, node)] = tuple(merged)

    def addresses(self, rack: RackController, node: str) -> tuple[Address, ...]:
        """The addresses of a rack that count: with carrier, in `addresses.include`, not in `addresses.exclude`."""
        key = (rack.meta.namespace, node)
        sighting = self._sightings.get(key)
        if sighting is not None and sighting.status is not None:
            self._remembered[key] = tuple(i.address.ip for i in sighting.status.interfaces if i.carrier)
        return tuple(a for a in self._remembered.get(key, ()) if counts(a, rack))


def counts(address: Address, rack: RackController) -> bool:
    """Whether `spec.addresses` lets an address of a node count."""
    included = [n for n in rack.include if n.version == address.version]
    if rack.include and not any(address in network for network in included):
        return False
    return not any(address in n for n in rack.exclude if n.version == address.version)
