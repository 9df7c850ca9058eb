"""One lab by name: its topology and how its parts are called on the host."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.errors import LabError
from lab.paths import state_dir
from lab.topology import Topology

DEFAULT_NAME = "rr"


@dataclass(frozen=True)
class Site:
    """Everything that the host sees of a lab starts with its name."""

    name: str
    topology: Topology

    @property
    def folder(self) -> Path:
        return state_dir(self.name)

    def netns(self, host: str) -> str:
        """The network namespace of a node, a machine, `api`, `wan` or `fabric`."""
        return f"{self.name}-{host}"

    def enter(self, host: str) -> tuple[str, ...]:
        """The start of a command that runs in the host's network namespace."""
        # Not `ip netns exec`: it mounts a new /sys, which hides the cgroup mounts.
        return ("nsenter", f"--net=/run/netns/{self.netns(host)}")

    def cgroup(self, node: str) -> str:
        return f"{self.name}-{node}"


def check_name(name: str) -> str:
    """The name. Raises LabError when it cannot be part of the host's names."""
    if not re.fullmatch(r"[a-z][a-z0-9]{0,7}", name):
        raise LabError(f"{name!r}: a lab's name is 1-8 lower-case letters and digits")
    return name


def hosts(topology: Topology) -> Sequence[str]:
    """Everything that has a network namespace, bridges first."""
    names = ["fabric", "api", *(node.name for node in topology.nodes)]
    names += [machine.name for machine in topology.machines]
    return [*names, "wan"] if topology.wan else names
