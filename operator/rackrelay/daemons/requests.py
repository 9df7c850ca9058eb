"""The real requests by which the agent sees that a daemon works, as data; `agent/checks/askers.py` makes them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class HttpGet:
    """A page on loopback that has to answer 200. `tells_config`: its body is the hash of the running configuration."""

    port: int
    path: str = "/"
    tells_config: bool = False


@dataclass(frozen=True)
class TcpConnect:
    """A port on loopback that has to take a connection."""

    port: int


@dataclass(frozen=True)
class ZoneSerial:
    """The SOA of the internal zone, at the node's own address."""


@dataclass(frozen=True)
class ZoneSerialAtEachAddress:
    """The same at each address under which machines ask."""


@dataclass(frozen=True)
class VersionBind:
    """version.bind, which holds the hash of the running configuration."""


@dataclass(frozen=True)
class DiskSpace:
    """Room on the disk that named keeps the zone on."""


@dataclass(frozen=True)
class MachinePorts:
    """The ports that machines dial on a rack's nginx."""


@dataclass(frozen=True)
class RelayToRegion:
    """A machine's request that goes through a rack's nginx to a region."""


@dataclass(frozen=True)
class SyslogRoundTrip:
    """Lines that come back from a rack's rsyslogd; a RELP session with a region's."""


@dataclass(frozen=True)
class SquidRefusal:
    """A request that Squid's own rules refuse, and that so asks nobody else."""


Request = (
    HttpGet
    | TcpConnect
    | ZoneSerial
    | ZoneSerialAtEachAddress
    | VersionBind
    | DiskSpace
    | MachinePorts
    | RelayToRegion
    | SyslogRoundTrip
    | SquidRefusal
)
