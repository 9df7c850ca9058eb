"""What region replicas hear of racks, and what can be said of a rack by it."""

import math
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field

from rackrelay.controllers.health.sighting import NO_REPORT, RegionReport, ServerKey, Sighting
from rackrelay.nameservers.server import NameServer
from rackrelay.protocol.heard_document import Heard, HeardRack

MATURE_S = 3.0


@dataclass
class Hearing:
    """What one region replica hears of racks. `since`: when this run of its agent was first seen; `at`: when last."""

    epoch: str
    since: float
    at: float
    racks: dict[str, HeardRack] = field(default_factory=dict)

    def can_tell(self, now: float, fresh_s: float) -> bool:
        """Whether it answered lately, and has run for long enough that racks have found it."""
        return now - self.at <= fresh_s and now - self.since >= MATURE_S


@dataclass
class Hearings:
    """All replicas' hearings. `find`: what was seen of a server itself."""

    find: Callable[[ServerKey], Sighting | None]
    _hearings: dict[ServerKey, Hearing] = field(default_factory=dict)
    _telling: tuple[ServerKey, float, list[Hearing]] = field(default_factory=lambda: (("", ""), -math.inf, []))

    def take(self, replica: NameServer, heard: Heard, now: float) -> Iterator[tuple[str, HeardRack]]:
        """The racks of which this replica brings news, with what it heard. Of two, one may tell an older status again.

        The hearing has all of it before the first is given.
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
        return iter([(n, rack) for n, rack in heard.racks.items() if _is_news(rack, before.get(n))])

    def racks_of(self, replica: NameServer) -> dict[str, HeardRack]:
        """What a replica hears of each rack."""
        hearing = self._hearings.get((replica.namespace, replica.name))
        return hearing.racks if hearing is not None else {}

    def keep(self, servers: Collection[ServerKey]) -> None:
        """Forget the replicas that are not among these."""
        self._hearings = {key: hearing for key, hearing in self._hearings.items() if key in servers}

    def report(self, rack: ServerKey, now: float) -> RegionReport:
        """What the replicas of its region hear of a rack."""
        sighting = self.find(rack)
        telling = self._who_can_tell((rack[0], sighting.region if sighting else ""), now)
        if not telling:
            return NO_REPORT
        heard = [found for hearing in telling if (found := hearing.racks.get(rack[1])) is not None and found.heard]
        # Of two replicas one may not have heard yet that named answers again.
        return RegionReport(bool(heard), max((h.serial for h in heard if h.serial is not None), default=None))

    def _who_can_tell(self, region: ServerKey, now: float) -> list[Hearing]:
        """The replicas of a region that can tell whom they hear. The same for all racks that are judged at once."""
        if self._telling[:2] != (region, now):
            able = [h for key, h in self._hearings.items() if self._can_tell(key, h, region, now)]
            self._telling = (region, now, able)
        return self._telling[2]

    def _can_tell(self, replica: ServerKey, hearing: Hearing, region: ServerKey, now: float) -> bool:
        # A replica may answer once more after it is gone, or before it is tracked.
        sighting = self.find(replica)
        if sighting is None or sighting.region_key != region or sighting.is_silent:
            return False
        return hearing.can_tell(now, sighting.detection.hearing_fresh_s)


def _is_news(rack: HeardRack, before: HeardRack | None) -> bool:
    if not rack.heard or rack.status is None:
        return False
    return before is None or not before.heard or before.status != rack.status
