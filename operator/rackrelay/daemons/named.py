"""BIND's named: the internal zone and the forwarder."""

from rackrelay import names
from rackrelay.daemons.daemon import Check, Daemon, Placement, Readiness, Volume, run_path
from rackrelay.daemons.requests import DiskSpace, VersionBind, ZoneSerial, ZoneSerialAtEachAddress

FILE = "named.conf"
# named answers this question three times a second at most, whoever asks.
VERSION_FLOOR_S = 1.0
DISK_FLOOR_S = 1.0

_CONFIG = ("-c", run_path(FILE))

NAMED = Daemon(
    "named",
    placements={
        names.COMPONENT_REGION: Placement(("named", "-g", *_CONFIG), readiness=Readiness(names.PORT_REGION_DNS)),
        # A host-network pod may set no sysctl that would let port 53 be used without them.
        names.COMPONENT_RACK: Placement(
            ("named", "-g", "-u", "rackrelay", *_CONFIG), capabilities=("NET_BIND_SERVICE", "SETGID", "SETUID")
        ),
    },
    checks=(
        # Its answer is one datagram: it may be asked as often as the region wants.
        Check("named", ZoneSerial(), floor_s=0.0),
        Check("named addresses", ZoneSerialAtEachAddress()),
        Check("named disk", DiskSpace(), floor_s=DISK_FLOOR_S),
        Check("named version", VersionBind(), floor_s=VERSION_FLOOR_S),
    ),
    file=FILE,
    checker=("named-checkconf", "-z"),
    volumes=frozenset({Volume.TSIG, Volume.STATE}),
    state_folder="named",
    cpu="25m",
    memory="64Mi",
)
