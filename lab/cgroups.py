"""The cgroups of nodes, under cgroup version 1 and 2 alike."""

import contextlib
import os
from pathlib import Path

_ROOT = Path("/sys/fs/cgroup")


def remove_cgroups(name: str) -> None:
    """Every cgroup of that name at the top of a hierarchy is gone, with all below it that has no process."""
    for top in (_ROOT / name, *_ROOT.glob(f"*/{name}")):
        for folder, _, _ in os.walk(top, topdown=False):
            # One with a process in it stays; whoever kills that process comes by here again.
            with contextlib.suppress(OSError):
                Path(folder).rmdir()


def cgroup_pids(name: str) -> list[int]:
    """The processes in such cgroups."""
    files = [file for top in (_ROOT / name, *_ROOT.glob(f"*/{name}")) for file in top.rglob("cgroup.procs")]
    pids: set[int] = set()
    for file in files:
        with contextlib.suppress(OSError):
            pids.update(int(line) for line in file.read_text().split())
    return sorted(pids - {0, os.getpid()})
