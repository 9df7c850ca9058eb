"""Bring a daemon's live file up to the mounted one: check the candidate, rename it over, signal.

Squid and rsyslogd are never signalled: both would drop what they are doing. Their new file waits for their next start,
and a marker beside it remembers which process still runs the old one.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from rackrelay.agent.check import FILES
from rackrelay.agent.expand import Expanded
from rackrelay.agent.files import read_file, write_candidate, write_file
from rackrelay.agent.processes import Process

RELOADABLE = ("named", "nginx")

Check = Callable[[str, Path], Awaitable[str | None]]
Find = Callable[[str], Process | None]
Reload = Callable[[Process], bool]


@dataclass(frozen=True)
class Swapper:
    """The effects of a swap, so that tests can watch them."""

    run: Path
    check: Check
    find: Find
    reload: Reload

    async def apply(self, daemon: str, wanted: Expanded) -> str | None:
        """None once the live file is the wanted one, else why the last good one stays.

        Raises:
            OSError: the file cannot be written.
        """
        live = self.run / FILES[daemon]
        if read_file(live) == wanted.text:
            return None
        candidate = write_candidate(live, wanted.text)
        try:
            words = await self.check(daemon, candidate)
            if words is None:
                self._go_live(daemon, candidate, live)
        finally:
            candidate.unlink(missing_ok=True)
        return words

    def restart_needed(self, daemon: str) -> bool:
        """Whether the process that was running when its file changed still runs."""
        marker = read_file(self._marker(daemon))
        process = self.find(daemon) if marker else None
        return process is not None and marker == _identity(process)

    def _go_live(self, daemon: str, candidate: Path, live: Path) -> None:
        process = self.find(daemon)
        if process is not None and daemon not in RELOADABLE:
            write_file(self._marker(daemon), _identity(process))
        candidate.replace(live)
        if process is not None and daemon in RELOADABLE:
            self.reload(process)

    def _marker(self, daemon: str) -> Path:
        return self.run / f"{daemon}.outdated"


def _identity(process: Process) -> str:
    return f"{process.pid} {process.started}\n"
