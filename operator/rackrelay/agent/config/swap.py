"""Bring a daemon's live file up to the mounted one: check the candidate, rename it over, signal.

Squid and rsyslogd are never signalled: both would drop what they are doing. Their new file waits for their next start,
and a marker beside it remembers which process still runs the old one.

Companions (named's policy zones) are written before the check, because the checker reads them, and those that are no
longer named go once the file is live. What one says follows from its name, so the running configuration loses nothing.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from rackrelay.agent.config.expand import Expanded, companions_of
from rackrelay.agent.config.processes import Process
from rackrelay.agent.files import read_file, write_candidate, write_file
from rackrelay.daemons.daemon import Daemon
from rackrelay.daemons.table import configured

Check = Callable[[Daemon, Path], Awaitable[str | None]]
Find = Callable[[str], Process | None]
Reload = Callable[[Process], bool]


@dataclass(frozen=True)
class Swapper:
    """The effects of a swap, so that tests can watch them."""

    run: Path
    check: Check
    find: Find
    reload: Reload

    async def apply(self, daemon: Daemon, wanted: Expanded) -> str | None:
        """None once the live file is the wanted one, else why the last good one stays.

        Raises:
            OSError: the file cannot be written.
        """
        live = self.run / daemon.file
        if read_file(live) == wanted.text:
            return None
        self._write_companions(wanted)
        candidate = write_candidate(live, wanted.text)
        try:
            words = await self.check(daemon, candidate)
            if words is None:
                self._go_live(daemon, candidate, live)
                self._drop_companions(live, wanted)
        finally:
            candidate.unlink(missing_ok=True)
        return words

    def restart_needed(self, daemon: Daemon) -> bool:
        """Whether the process that was running when its file changed still runs."""
        marker = read_file(self._marker(daemon))
        process = self.find(daemon.name) if marker else None
        return process is not None and marker == _identity(process)

    def _go_live(self, daemon: Daemon, candidate: Path, live: Path) -> None:
        process = self.find(daemon.name)
        if process is not None and not daemon.reloads:
            write_file(self._marker(daemon), _identity(process))
        candidate.replace(live)
        if process is not None and daemon.reloads:
            self.reload(process)

    def _write_companions(self, wanted: Expanded) -> None:
        for name, text in wanted.companions.items():
            if read_file(self.run / name) != text:
                write_file(self.run / name, text)

    def _drop_companions(self, live: Path, wanted: Expanded) -> None:
        present = {file.name for file in self.run.iterdir() if file.is_file()}
        for name in companions_of(live.name, dict.fromkeys(present, "")):
            if name not in wanted.companions and self.run / name not in self._not_companions(live):
                (self.run / name).unlink(missing_ok=True)

    def _not_companions(self, live: Path) -> set[Path]:
        return {live.with_name(f"{live.name}.new"), *(self._marker(daemon) for daemon in configured())}

    def _marker(self, daemon: Daemon) -> Path:
        return self.run / f"{daemon.name}.outdated"


def _identity(process: Process) -> str:
    return f"{process.pid} {process.started}\n"
