"""Find the daemons of this pod, whose process namespace the agent shares, and signal them."""

import os
import signal
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")


@dataclass(frozen=True)
class Process:
    """A running process; `started` (clock ticks since boot) tells it from a later one with the same number."""

    pid: int
    started: int


@dataclass(frozen=True)
class _Row:
    process: Process
    name: str
    parent: int


def find_daemon(name: str, proc: Path = _PROC) -> Process | None:
    """The daemon's main process: the oldest of that name whose parent has another name."""
    rows = {row.process.pid: row for row in _read_rows(proc)}
    mains = [
        row.process
        for row in rows.values()
        if row.name == name and (row.parent not in rows or rows[row.parent].name != name)
    ]
    return min(mains, key=lambda process: process.started, default=None)


def reload_daemon(process: Process) -> bool:
    """Tell the daemon to read its configuration again; False when it has just ended."""
    try:
        os.kill(process.pid, signal.SIGHUP)
    except ProcessLookupError:
        return False
    return True


def _read_rows(proc: Path) -> list[_Row]:
    rows = []
    for folder in proc.iterdir():
        if folder.name.isdigit():
            row = _read_row(folder)
            if row is not None:
                rows.append(row)
    return rows


def _read_row(folder: Path) -> _Row | None:
    try:
        stat = (folder / "stat").read_text()
    except OSError:
        return None
    # proc(5): pid (comm) state ppid ... starttime is field 22; comm may hold spaces and parentheses.
    before, _, after = stat.rpartition(")")
    fields = after.split()
    return _Row(Process(int(folder.name), int(fields[19])), before.partition("(")[2], int(fields[1]))
