"""From what machines saw and what was done to the machine room to what should not have happened. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

# Evidence of a fault's end takes this long to become a zone that everybody serves: a rack's hold, a pod's start.
SETTLE_S = 15.0
# A single lost packet on a busy host is not an outage.
UNANSWERED_IN_A_ROW = 3


@dataclass(frozen=True)
class Seen:
    """One query of a machine: times are monotonic seconds; `answered` is None when nobody answered."""

    server: str
    sent: float
    answered: float | None
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True)
class Fault:
    """One thing that was done. `rack` is None for the control plane's.

    `deadly`: machines cannot reach the rack while it lasts. `hides`: answers of the rack may be old or missing.
    """

    what: str
    rack: str | None
    began: float
    ended: float
    deadly: bool = False

    def disturbs(self, begin: float, end: float) -> bool:
        """Whether it had an effect in a time, its aftermath included."""
        return self.began <= end and begin <= self.ended + SETTLE_S


@dataclass(frozen=True)
class Subnet:
    """The racks of a subnet: rack -> its address there."""

    racks: dict[str, str]


def find_unanswered(seen: Iterable[Seen], subnet: Subnet, faults: Sequence[Fault]) -> Iterator[str]:
    """Queries to racks that nothing was wrong with, unanswered several times in a row."""
    for rack, address in subnet.racks.items():
        row = 0
        for query in sorted((q for q in seen if q.server == address), key=lambda q: q.sent):
            quiet = not any(f.rack == rack and f.disturbs(query.sent, query.sent + 1) for f in faults)
            row = row + 1 if query.answered is None and quiet else 0
            if row == UNANSWERED_IN_A_ROW:
                yield f"{rack} did not answer {row} queries in a row until {query.sent:.1f}"


def find_dead_served(seen: Iterable[Seen], subnet: Subnet, faults: Sequence[Fault], bound_s: float) -> Iterator[str]:
    """Answers with a rack that had been dead for longer than the bound, although another was well.

    Only racks that nothing kept from hearing the news count, and only while operator and API server were there.
    """
    for death in (f for f in faults if f.deadly and f.rack in subnet.racks):
        dead = subnet.racks[str(death.rack)]
        late = [
            q
            for q in seen
            if q.answered is not None and dead in q.addresses and death.began + bound_s < q.answered < death.ended
        ]
        for query in late:
            teller = next((r for r, address in subnet.racks.items() if address == query.server), None)
            others = [f for f in faults if f is not death and f.disturbs(death.began, query.sent)]
            if any(f.rack is None or f.rack == teller for f in others):
                continue
            well = set(subnet.racks) - {death.rack} - {f.rack for f in others}
            if well:
                yield f"{teller} served {dead} {query.sent - death.began:.1f} s after {death.what} of {death.rack}"
                break
