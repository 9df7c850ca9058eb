"""Where the lab keeps things: caches that outlive it, and the state of one lab by name."""

import os
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
FILES = Path(__file__).resolve().parent / "files"
STATE_ROOT = Path("/var/lib/rackrelay-lab")


def cache_dir(*parts: str) -> Path:
    """A folder of the user's cache, made if missing; safe to delete while no lab runs."""
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = root.joinpath("rackrelay", *parts)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def state_dir(name: str) -> Path:
    """The folder of one lab: its keys, etcd, logs, nodes and machines. `down` deletes it."""
    return STATE_ROOT / name
