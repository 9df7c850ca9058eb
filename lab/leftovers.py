"""What a lab that died left on the host: processes, mounts, cgroups and namespaces, all found by the lab's name."""

import contextlib
import os
from pathlib import Path

from lab import network
from lab.cgroups import cgroup_pids, remove_cgroups
from lab.processes import kill_all
from lab.shell import run
from lab.site import Site, hosts


def clear(site: Site) -> None:
    """Nothing of the lab runs or is mounted; its folder stays."""
    namespaces = [host for host in hosts(site.topology) if network.exists(site, host)]
    pids = _pids_in(site, namespaces)
    for node in site.topology.nodes:
        pids |= set(cgroup_pids(site.cgroup(node.name)))
    kill_all(sorted(pids))
    for mount in _mounts_below(site.folder):
        run(["umount", "--lazy", mount], check=False)
    for host in namespaces:
        network.delete_host(site, host)
    for node in site.topology.nodes:
        remove_cgroups(site.cgroup(node.name))


def _pids_in(site: Site, namespaces: list[str]) -> set[int]:
    """Every process in those network namespaces, but not this one."""
    inodes = {(Path("/run/netns") / site.netns(host)).stat().st_ino for host in namespaces}
    found = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                if (entry / "ns/net").stat().st_ino in inodes:
                    found.add(int(entry.name))
    return found - {os.getpid()}


def _mounts_below(folder: Path) -> list[str]:
    """Mount points of the host in the lab's folder, innermost first."""
    points = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    return sorted((point for point in points if point.startswith(f"{folder}/")), reverse=True)
