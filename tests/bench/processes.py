"""Memory and processor time of processes, from /proc as the host sees it (proc(5))."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.processes import children

PROC = Path("/proc")


@dataclass(frozen=True)
class Process:
    """One process by the number that the host counts it by."""

    pid: int

    @property
    def command(self) -> list[str]:
        """Its arguments; empty when it is gone."""
        try:
            return (PROC / str(self.pid) / "cmdline").read_text().rstrip("\0").split("\0")
        except OSError:
            return []

    def rss_mb(self) -> float:
        """Resident memory, shared pages included."""
        for line in (PROC / str(self.pid) / "status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
        raise RuntimeError(f"process {self.pid} has no memory: it has ended")

    def cpu_s(self) -> float:
        """Processor time that it has used, its own and the kernel's for it."""
        text = (PROC / str(self.pid) / "stat").read_text()
        fields = text[text.rindex(")") + 2 :].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def descendants(pid: int) -> Iterator[int]:
    """All below a process, whatever PID namespace they are in."""
    for child in children(pid):
        yield child
        yield from descendants(child)


def find_module(root: int, module: str) -> list[Process]:
    """The processes below `root` that run `python3 -m MODULE`."""
    processes = [Process(pid) for pid in descendants(root)]
    return [process for process in processes if is_module(process.command, module)]


def is_module(command: Sequence[str], module: str) -> bool:
    """Whether a command line is Python running the module."""
    return len(command) >= 3 and "python" in command[0] and list(command[1:3]) == ["-m", module]
