"""nginx: on racks what machines dial, in region pods the gate in front of the other daemons."""

from rackrelay import names
from rackrelay.daemons.daemon import Check, Daemon, Placement, Readiness, Volume, run_path
from rackrelay.daemons.requests import HttpGet, MachinePorts, RelayToRegion

FILE = "nginx.conf"
# What goes through to a region: a thousand racks ask it two hundred times a second.
RELAY_FLOOR_S = 5.0

_COMMAND = ("nginx", "-c", run_path(FILE))

NGINX = Daemon(
    "nginx",
    placements={
        names.COMPONENT_REGION: Placement(_COMMAND, readiness=Readiness(None)),
        # Declared for this port alone: declaring 53 would clash with a node-local DNS cache.
        names.COMPONENT_RACK: Placement(_COMMAND, declared_port=("http", names.PORT_RACK_HTTP)),
    },
    checks=(
        Check("nginx", HttpGet(names.PORT_LOCAL_STATUS, tells_config=True)),
        Check("nginx ports", MachinePorts()),
        Check("nginx relay", RelayToRegion(), floor_s=RELAY_FLOOR_S),
    ),
    file=FILE,
    checker=("nginx", "-t", "-q", "-c"),
    volumes=frozenset({Volume.TMP}),
)
