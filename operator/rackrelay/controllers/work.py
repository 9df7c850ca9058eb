"""What can be reconciled, and the keys by which it is asked for."""

from dataclasses import dataclass
from enum import Enum


class Lane(Enum):
    """Whom work waits for. What waits for servers of others must not hold up a rack: it has workers of its own."""

    OWN = "own"
    EXTERNAL = "external"


@dataclass(frozen=True)
class Work:
    """One kind of work, by the name that logs and metrics give it. The smaller `priority` goes first in its lane."""

    name: str
    priority: int = 1
    lane: Lane = Lane.OWN


# A dead rack leaves the zone before hundreds of statuses tell of it.
ZONE = Work("zone", priority=0)
REGION = Work("region")
RACK = Work("rack")
SUBNET = Work("subnet")
EXTERNAL = Work("external", lane=Lane.EXTERNAL)


@dataclass(frozen=True)
class Key:
    """One thing to reconcile: the work, and whose it is. `server`: the address of one external name server."""

    work: Work
    namespace: str
    name: str
    server: str = ""

    def __str__(self) -> str:
        return f"{self.work.name} {self.namespace}/{self.name} {self.server}".rstrip()
