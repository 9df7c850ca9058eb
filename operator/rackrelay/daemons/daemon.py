"""What there is to know of one daemon."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from rackrelay import names
from rackrelay.daemons.requests import Request

# Requests that open a connection are made no faster than that.
CONNECTION_FLOOR_S = 0.5


class Volume(Enum):
    """What a daemon sees of its pod's volumes: what it needs, and no more. All see the files that the agent wrote."""

    TMP = "tmp"
    TSIG = "tsig"
    STATE = "state"


class NewFile(Enum):
    """How a daemon comes to run another file. Squid and rsyslogd would drop what they are doing if told to reload."""

    BY_RELOAD = "reload"
    AT_START = "start"


@dataclass(frozen=True)
class Check:
    """One kind of request. `name` begins with the daemon's name; `floor_s` is the fastest pace, whatever a region
    asks for."""

    name: str
    request: Request
    floor_s: float = CONNECTION_FLOOR_S

    @property
    def daemon(self) -> str:
        """Whose fault its failure is."""
        return self.name.partition(" ")[0]


@dataclass(frozen=True)
class Readiness:
    """The pod is ready once this TCP port takes connections; None is the region's spec.http.port."""

    port: int | None


@dataclass(frozen=True)
class Placement:
    """How a daemon runs in the pods of one component.

    `capabilities`: those with which it starts as root and gives root up by itself; without any it is never root.
    `declared_port`: makes the scheduler refuse a second such pod on a node.
    """

    command: tuple[str, ...]
    capabilities: tuple[str, ...] = ()
    readiness: Readiness | None = None
    declared_port: tuple[str, int] | None = None


@dataclass(frozen=True)
class Daemon:
    """One daemon, by the name of its container and process.

    `placements`: component -> how it runs there. `file`: its configuration, empty for none; `checker`: the command that
    judges it when the file's path is added. `state_folder`: its own below the state volume, empty for none. `cpu` and
    `memory`: about what it uses; limits are the user's, for one that ends or slows a daemon fails machines.
    """

    name: str
    placements: Mapping[str, Placement]
    checks: tuple[Check, ...]
    file: str = ""
    checker: tuple[str, ...] = ()
    new_file: NewFile = NewFile.BY_RELOAD
    volumes: frozenset[Volume] = field(default_factory=frozenset)
    state_folder: str = ""
    cpu: str = "10m"
    memory: str = "32Mi"

    @property
    def reloads(self) -> bool:
        """Whether it takes a new file while it runs."""
        return self.new_file is NewFile.BY_RELOAD


def run_path(file: str) -> str:
    """Where the agent puts a file for the daemons."""
    return f"{names.DIR_RUN}/{file}"
