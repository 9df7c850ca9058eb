"""What can be reconciled, and the keys by which it is asked for."""

from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Work:
    """One kind of work, by the name that logs and metrics give it. The smaller `priority` goes first."""

    name: str
    priority: int = 1


# A dead rack leaves the zone before hundreds of statuses tell of it.
ZONE = Work("zone", priority=0)
REGION = Work("region")
RACK = Work("rack")
SUBNET = Work("subnet")
EXTERNAL = Work("external")


@dataclass(frozen=True, order=True)
class Key:
    """One thing to reconcile: the work, and whose it is. `server`: the address of one external name server."""

    work: Work
    namespace: str
    name: str
    server: str = ""

    def __str__(self) -> str:
        return f"{self.work.name} {self.namespace}/{self.name} {self.server}".rstrip()
