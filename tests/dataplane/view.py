"""What one container sees of its pod: its own mounts, on an image that has nothing there."""

from pathlib import Path

from rackrelay import names
from rackrelay.daemons.table import find_daemon
from rackrelay.manifests.mounts import AGENT_MOUNTS, build_mounts
from rackrelay.model.meta import Manifest

# Where the pod's volumes are as the test keeps them; run and tmp are memory, at their own paths.
_SOURCES = {"config": "etc/config", "zone": "etc/zone", "tsig": "etc/tsig", "agent-key": "etc/agent", "state": "state"}


def container_view(name: str, volumes: Path, root: Path) -> list[str]:
    """The command that runs the command after it in that view. `root`: the pod's root, with all that it mounts."""
    daemon = find_daemon(name)
    mounts = build_mounts(daemon) if daemon is not None else AGENT_MOUNTS
    shown = {mount["mountPath"] for mount in mounts}
    memory = [path for path in (names.DIR_RUN, "/tmp") if path not in shown]
    lines = [
        *(f"mount -t tmpfs -o mode=0755 none {root}{path}" for path in ("/etc/rackrelay", names.DIR_STATE, *memory)),
        *(_mount(mount, volumes, root) for mount in mounts),
        'exec "$@"',
    ]
    return ["unshare", "--mount", "sh", "-ec", "\n".join(lines), name]


def _mount(mount: Manifest, volumes: Path, root: Path) -> str:
    path = f"{root}{mount['mountPath']}"
    source = volumes / _SOURCES[mount["name"]] / mount.get("subPath", "") if mount["name"] in _SOURCES else path
    options = "bind,ro" if mount.get("readOnly") else "bind"
    return f"mkdir -p {path}\nmount -o {options} {source} {path}"
