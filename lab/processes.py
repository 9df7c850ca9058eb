"""Daemons that outlive the command which started them, each known by a file with its process id."""

import contextlib
import os
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lab.errors import LabError


@dataclass(frozen=True)
class Daemon:
    """A process with a log; `folder` holds NAME.pid and NAME.log."""

    name: str
    folder: Path
    argv: Sequence[str | Path]
    env: dict[str, str] = field(default_factory=dict)

    @property
    def log(self) -> Path:
        return self.folder / f"{self.name}.log"

    @property
    def pid(self) -> int | None:
        """Its process id while it runs."""
        return read_pid(self._pid_file)

    @property
    def started_at(self) -> float:
        """When it was last started, in seconds since the epoch; 0 if never."""
        return self._pid_file.stat().st_mtime if self._pid_file.exists() else 0.0

    @property
    def _pid_file(self) -> Path:
        return self.folder / f"{self.name}.pid"

    def start(self) -> int:
        """Its process id; an instance that runs already is left alone."""
        if running := self.pid:
            return running
        self.folder.mkdir(parents=True, exist_ok=True)
        pid = _spawn([str(part) for part in self.argv], {**os.environ, **self.env}, self.log)
        self._pid_file.write_text(f"{pid} {_start_time(pid)}\n")
        return pid

    def stop(self, how: signal.Signals = signal.SIGTERM, patience_s: float = 10) -> None:
        """Gone when this returns; killed when it does not obey in time."""
        pid = self.pid
        if pid:
            os.kill(pid, how)
            if not wait_gone(pid, patience_s):
                os.kill(pid, signal.SIGKILL)
                wait_gone(pid, patience_s)
        self._pid_file.unlink(missing_ok=True)

    def require_running(self) -> None:
        """Raises LabError with the end of its log when it has died."""
        if self.pid is None:
            end = self.log.read_text(errors="replace").splitlines()[-5:] if self.log.exists() else []
            raise LabError(f"{self.name} has died; see {self.log}:\n" + "\n".join(end))


def read_pid(pid_file: Path) -> int | None:
    """The process that the file names, unless it is gone or its number belongs to another one by now."""
    try:
        pid, started = (int(word) for word in pid_file.read_text().split())
    except (FileNotFoundError, ValueError):
        return None
    return pid if is_alive(pid) and _start_time(pid) == started else None


def is_alive(pid: int) -> bool:
    """False for a process that is gone or a zombie; our own zombies are buried on the way."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
    fields = _stat(pid)
    return fields is not None and fields[0] not in "ZX"


def wait_gone(pid: int, patience_s: float) -> bool:
    """Whether the process ended in time."""
    deadline = time.monotonic() + patience_s
    while is_alive(pid):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def children(pid: int) -> list[int]:
    """The process ids of its direct children, as the host counts them."""
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []


def kill_all(pids: Sequence[int], patience_s: float = 10) -> None:
    """Every one of them killed and gone."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    for pid in pids:
        wait_gone(pid, patience_s)


def _spawn(argv: list[str], env: dict[str, str], log: Path) -> int:
    # Not subprocess.Popen: it warns about a child that outlives it, which is what daemons are for.
    append = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, str(log), append, 0o644),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    return os.posix_spawnp(argv[0], argv, env, file_actions=actions, setsid=True)


def _start_time(pid: int) -> int:
    fields = _stat(pid)
    return int(fields[19]) if fields else 0


def _stat(pid: int) -> list[str] | None:
    """The fields of /proc/PID/stat after the command's name (proc(5)): state first, start time 20th."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return text[text.rindex(")") + 2 :].split()
