"""From what machines saw and what was done to the machine room to what should not have happened. Pure."""

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

# Evidence of a fault's end takes this long to become a zone that everybody serves: a rack's hold, a pod's start.
SETTLE_S = 15.0
# A node boots and its pods start; the kubelet waits up to five minutes before it starts a container once more.
RECOVERY_S = 330.0


@dataclass(frozen=True)
class Seen:
    """One query of a machine: times are seconds of one clock; `answered` is None when nobody answered."""

    server: str
    sent: float
    answered: float | None
    addresses: tuple[str, ...] = ()

    def since(self, start: float) -> "Seen":
        """The same by a clock that was started then."""
        answered = None if self.answered is None else self.answered - start
        return replace(self, sent=self.sent - start, answered=answered)


@dataclass(frozen=True)
class Fault:
    """One thing that was done. `rack` is None for the control plane's; `ended` is when it was undone.

    `silenced`: the addresses at which machines got no answer, from `done` on, until they answer again. `deafens`:
    whether changes of the zone do not reach its rack. `witnesses`: how many other racks of a subnet have to be well
    before it must leave the name.
    """

    what: str
    rack: str | None
    began: float
    done: float
    ended: float
    silenced: frozenset[str] = frozenset()
    deafens: bool = False
    witnesses: int = 1

    def since(self, start: float) -> "Fault":
        """The same by a clock that was started then."""
        return replace(self, began=self.began - start, done=self.done - start, ended=self.ended - start)

    def disturbs(self, begin: float, end: float) -> bool:
        """Whether it had an effect in a time, its aftermath included."""
        return self.began <= end and begin <= self.ended + SETTLE_S

    def excuse(self, answered: Sequence[float]) -> tuple[float, float]:
        """From when to when an address that it silenced need not answer; `answered`: when it did answer queries.

        It is back with its first answer to a query that was sent after the end, and has to come back.
        """
        back = min((sent for sent in answered if sent > self.ended), default=self.ended + RECOVERY_S)
        return self.began, min(back, self.ended + RECOVERY_S)


@dataclass(frozen=True)
class Subnet:
    """The racks of a subnet: rack -> its address there."""

    racks: dict[str, str]


def find_unanswered(seen: Iterable[Seen], subnet: Subnet, faults: Sequence[Fault]) -> Iterator[str]:
    """Queries to racks that nothing was wrong with, and that nobody answered."""
    by_server: dict[str, list[Seen]] = {}
    for query in sorted(seen, key=lambda q: q.sent):
        by_server.setdefault(query.server, []).append(query)
    for rack, address in subnet.racks.items():
        for row in _find_rows(by_server.get(address, []), [f for f in faults if address in f.silenced]):
            yield f"{rack} did not answer {len(row)} queries from {row[0]:.1f} s to {row[-1]:.1f} s"


def _find_rows(queries: Sequence[Seen], faults: Sequence[Fault]) -> Iterator[list[float]]:
    """When the queries of each row were sent that one server did not answer, and should have."""
    answered = [q.sent for q in queries if q.answered is not None]
    excuses = [fault.excuse(answered) for fault in faults]

    def is_missed(query: Seen) -> bool:
        return query.answered is None and not any(begin - 1 <= query.sent <= end for begin, end in excuses)

    for missed, group in itertools.groupby(queries, is_missed):
        if missed:
            yield [query.sent for query in group]


def find_empty(seen: Iterable[Seen], subnet: Subnet) -> Iterator[str]:
    """Answers without an address: each of these subnets always has racks."""
    racks = {address: rack for rack, address in subnet.racks.items()}
    for query in seen:
        if query.answered is not None and not query.addresses:
            yield f"{racks[query.server]} answered without an address at {query.sent:.1f} s"


def find_dead_served(seen: Sequence[Seen], subnet: Subnet, faults: Sequence[Fault], bound_s: float) -> Iterator[str]:
    """Answers with a rack that had been dead for longer than the bound, although another was well.

    A rack is dead from the fault until it answers again. Only racks that nothing kept from hearing the news count, and
    only while operator and API server were there.
    """
    racks = {address: rack for rack, address in subnet.racks.items()}
    for death in faults:
        dead = subnet.racks.get(death.rack or "")
        if dead is None or dead not in death.silenced:
            continue
        back = min((q.sent for q in seen if q.server == dead and q.answered and q.sent > death.done), default=math.inf)
        for query in seen:
            age_s = (query.answered or death.done) - death.done
            if dead not in query.addresses or age_s <= bound_s or query.sent >= back:
                continue
            others = [f for f in faults if f is not death and f.disturbs(death.began, query.sent)]
            teller = racks[query.server]
            if any(f.rack is None or (f.rack == teller and f.deafens) for f in others):
                continue
            if len(set(subnet.racks) - {death.rack} - {f.rack for f in others}) >= death.witnesses:
                yield (
                    f"{teller} served {dead} at {query.sent:.1f} s, {age_s:.1f} s after {death.what} of {death.rack}, "
                    f"which answered again at {back:.1f} s"
                )
                break
