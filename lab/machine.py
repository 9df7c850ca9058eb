"""A machine: bare metal that sees its provisioning network only, with a root file system of its own."""

import shutil
import signal
from dataclasses import dataclass
from pathlib import Path

from lab import network
from lab.debian import machine_tree
from lab.paths import FILES
from lab.processes import Daemon, children, kill_all
from lab.site import Site
from lab.topology import Machine

# The host's own environment means nothing on a machine.
_ENVIRONMENT = (
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME=/root",
    "LANG=C.UTF-8",
    "TERM=xterm-256color",
    "DEBIAN_FRONTEND=noninteractive",
)


@dataclass(frozen=True)
class MachineHost:
    """A machine of a lab; real clients run on it unchanged, and what they install stays on its own disk."""

    site: Site
    machine: Machine

    @property
    def folder(self) -> Path:
        return self.site.folder / "machines" / self.machine.name

    @property
    def disk(self) -> Path:
        """What the machine has written, over the tree that all machines share."""
        return self.folder / "disk"

    @property
    def init_pid(self) -> int | None:
        """The machine's first process, as the host counts it; None while its power is off."""
        outer = self._daemon.pid
        return next(iter(children(outer)), None) if outer else None

    @property
    def is_on(self) -> bool:
        return self._daemon.pid is not None

    @property
    def _daemon(self) -> Daemon:
        own = ["unshare", "--mount", "--uts", "--ipc", "--pid", "--fork", "--kill-child"]
        argv: list[str | Path] = [*self.site.enter(self.machine.name), *own, "bash", FILES / "machine-init.sh"]
        environment = {
            "MACHINE_NAME": self.machine.name,
            "MACHINE_DIR": str(self.folder),
            "MACHINE_TREE": str(machine_tree()),
        }
        return Daemon("init", self.folder / "log", argv, environment)

    def power_on(self) -> None:
        """The machine boots, with the disk that it had before."""
        if self.is_on:
            return
        network.delete_host(self.site, self.machine.name)
        network.create_host(self.site, self.machine.name, self.machine.links)
        self._write_files()
        self._daemon.start()

    def power_off(self) -> None:
        """The machine is dead and its network silent."""
        if init := self.init_pid:
            kill_all([init])
        self._daemon.stop(signal.SIGKILL)
        network.delete_host(self.site, self.machine.name)

    def reset(self) -> None:
        """The machine boots from an empty disk."""
        self.power_off()
        shutil.rmtree(self.folder, ignore_errors=True)
        self.power_on()

    def enter(self) -> tuple[str, ...]:
        """The start of a command that runs on the machine."""
        spaces = ("--mount", "--uts", "--ipc", "--net", "--pid")
        return ("nsenter", f"--target={self.init_pid}", *spaces, "--root", "--wdns=/root", "env", "-i", *_ENVIRONMENT)

    def _write_files(self) -> None:
        """The disk of a new machine; one that has booted before keeps what it has."""
        etc = self.disk / "etc"
        if etc.exists():
            return
        apt = etc / "apt"
        (apt / "sources.list.d").mkdir(parents=True)
        (etc / "hostname").write_text(f"{self.machine.name}\n")
        (etc / "hosts").write_text(f"127.0.0.1 localhost {self.machine.name}\n::1 localhost\n")
        servers = [f"nameserver {server}" for server in self.machine.nameservers]
        (etc / "resolv.conf").write_text("\n".join([*servers, ""]))
        (apt / "sources.list").write_text(apt_sources(self.site))


def apt_sources(site: Site) -> str:
    """The machine's sources.list: the lab's own archive, signed by nobody."""
    wan = site.topology.wan
    return f"deb [trusted=yes] http://archive.{wan.domain}/debian stable main\n" if wan else ""
