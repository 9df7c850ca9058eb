"""One lab by name: its topology and how its parts are called on the host."""

import os
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.errors import LabError
from lab.paths import state_dir
from lab.topology import DEFAULT, Topology, load_topology

_DEFAULT_NAME = "rr"


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


def default_name() -> str:
    """The lab's name where none is given."""
    return os.environ.get("RACKRELAY_LAB") or _DEFAULT_NAME


def find_site(name: str) -> Site | None:
    """The lab of that name, running or not; None when there is none."""
    own = _topology_file(name)
    return Site(name, load_topology(own)) if own.exists() else None


def settle_site(name: str, topology: Path | None) -> Site:
    """The lab with a copy of its topology, which later commands read; a lab never changes its topology."""
    source = topology or DEFAULT
    found = find_site(name)
    if found and topology and found.topology != load_topology(topology):
        raise LabError(f"the lab {name!r} has another topology: use `up --fresh`, or another `--name`")
    if found:
        return found
    site = Site(name, load_topology(source))
    site.folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(source, _topology_file(name))
    return site


def _topology_file(name: str) -> Path:
    return state_dir(name) / "topology.yaml"


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
