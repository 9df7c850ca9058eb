"""The region's metadata service, behind its nginx."""

from rackrelay import names
from rackrelay.daemons.daemon import Check, Daemon, Placement
from rackrelay.daemons.requests import HttpGet
from rackrelay.protocol import paths

METADATA = Daemon(
    "metadata",
    placements={names.COMPONENT_REGION: Placement(("python3", "-m", "rackrelay.metadata"))},
    checks=(Check("metadata", HttpGet(names.PORT_LOCAL_HTTP, paths.METADATA)),),
    memory="48Mi",
)
