"""What each container sees of its pod's volumes: what it needs, and no more.

Daemons read what the agent has expanded into the run folder, and write to their own part of the state. This narrows
what a daemon can be talked into reading or writing. It is no wall against foreign code in one: the containers of a pod
share their user and see each other's processes.
"""

from rackrelay import names
from rackrelay.daemons.daemon import Daemon, Volume
from rackrelay.model.meta import Manifest

_STATE: Manifest = {"name": "state", "mountPath": names.DIR_STATE}
_RUN: Manifest = {"name": "run", "mountPath": names.DIR_RUN}
_TMP: Manifest = {"name": "tmp", "mountPath": "/tmp"}  # noqa: S108 - a tmpfs of the pod's own


def _read_only(volume: str, path: str) -> Manifest:
    return {"name": volume, "mountPath": path, "readOnly": True}


_EXPANDED = _read_only(_RUN["name"], names.DIR_RUN)
# named.conf includes the keys; the agent has named's checker read it, and pulls the zone with one of them.
_TSIG = _read_only("tsig", names.DIR_TSIG)

AGENT_MOUNTS = [
    _read_only("config", names.DIR_CONFIG),
    _read_only("zone", names.DIR_ZONE),
    _TSIG,
    _read_only("agent-key", names.DIR_AGENT_KEY),
    _RUN,
    _TMP,
    # It writes named's zone file, and the checkers look at every daemon's folder.
    _STATE,
]
PREPARE_MOUNTS = [_STATE]


def build_mounts(daemon: Daemon) -> list[Manifest]:
    """The mounts of one daemon's container."""
    wanted = (
        (_TSIG, Volume.TSIG in daemon.volumes),
        (_EXPANDED, bool(daemon.file)),
        (_TMP, Volume.TMP in daemon.volumes),
        (_own_state(daemon.state_folder), Volume.STATE in daemon.volumes),
    )
    return [mount for mount, is_wanted in wanted if is_wanted]


def _own_state(folder: str) -> Manifest:
    return {**_STATE, "mountPath": f"{names.DIR_STATE}/{folder}", "subPath": folder}
