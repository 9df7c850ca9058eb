"""Squid: the APT cache of racks, and its parent in region pods. About its memory with the cache in memory full."""

from rackrelay import names
from rackrelay.daemons.daemon import Check, Daemon, NewFile, Placement, Volume, run_path
from rackrelay.daemons.requests import SquidRefusal

FILE = "squid.conf"

# The first run of `-z` makes the cache's folders.
_PLACEMENT = Placement(("sh", "-c", f"squid -N -z -f {run_path(FILE)} && exec squid -N -f {run_path(FILE)}"))

SQUID = Daemon(
    "squid",
    placements={names.COMPONENT_REGION: _PLACEMENT, names.COMPONENT_RACK: _PLACEMENT},
    checks=(Check("squid", SquidRefusal()),),
    file=FILE,
    checker=("squid", "-k", "parse", "-f"),
    new_file=NewFile.AT_START,
    volumes=frozenset({Volume.STATE}),
    state_folder="squid",
    memory="96Mi",
)
