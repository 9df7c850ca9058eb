"""`Lab`: everything that tests, the demo, benches and people do with a lab.

lab = Lab.open()
lab.kubectl("get", "nodes")
lab.run_in("m1", ["dig", "+short", "10-10-0-0--24.maas-internal"])
lab.power_off("rack1")
"""

import functools
import json
import os
import subprocess
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Self

from lab import leftovers, loading, network, store
from lab.binaries import find_binary, search_path
from lab.control_plane import ControlPlane
from lab.errors import LabError
from lab.images import find_archive, find_archives
from lab.locks import locked
from lab.machine import MachineHost
from lab.node import NodeHost
from lab.paths import STATE_ROOT, cache_dir, state_dir
from lab.progress import Progress
from lab.readiness import heard_at, is_ready
from lab.shell import in_parallel, run
from lab.site import Site, check_name, default_name, find_site, settle_site
from lab.wan import WanHost


class Lab:
    """One lab by name, running or not."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.control_plane = ControlPlane(site)
        self.nodes = {node.name: NodeHost(site, node, self.control_plane.pki) for node in site.topology.nodes}
        self.machines = {machine.name: MachineHost(site, machine) for machine in site.topology.machines}
        self.wan = WanHost(site) if site.topology.wan else None

    @classmethod
    def open(cls, name: str | None = None) -> Self:
        """The lab that `up` made. Raises LabError when there is none of that name."""
        name = check_name(name or default_name())
        if site := find_site(name):
            return cls(site)
        raise LabError(f"there is no lab {name!r}: run `python3 -m lab up`")

    @classmethod
    def up(cls, name: str | None = None, topology: Path | None = None, fresh: bool = False) -> Self:
        """A lab with every part on and every node Ready; quick when it is so already.

        `fresh` starts from nothing; otherwise a lab that was up before (its host rebooted, say) keeps its objects.
        Without `topology` an existing lab keeps its own. Programs and trees must be there (`prepare.py`).
        """
        name = check_name(name or default_name())
        with locked(STATE_ROOT / f"{name}.lock"):
            if fresh:
                _remove(name)
            lab = cls(settle_site(name, topology))
            lab._converge()
        return lab

    def down(self) -> None:
        """Nothing of the lab is left."""
        self.remove(self.site.name)

    @classmethod
    def remove(cls, name: str | None = None) -> None:
        """Nothing is left of a lab of that name, whether it runs, is half-made or was never there."""
        name = check_name(name or default_name())
        with locked(STATE_ROOT / f"{name}.lock"):
            _remove(name)

    @property
    def is_alive(self) -> bool:
        """Whether its control plane and bridges are there; single nodes may be off."""
        return network.exists(self.site, "fabric") and self.control_plane.etcd.pid is not None

    @property
    def kubeconfig(self) -> Path:
        return self.control_plane.kubeconfig

    @functools.cached_property
    def environment(self) -> dict[str, str]:
        """The environment of kubectl and helm."""
        return {**os.environ, "PATH": search_path(), "KUBECONFIG": str(self.kubeconfig)}

    def enter(self, host: str) -> tuple[str, ...]:
        """The start of a command that runs on a node, a machine, `api`, `wan` or `fabric`. LabError when it is off."""
        found = self.nodes.get(host) or self.machines.get(host)
        if found:
            if not found.is_on:
                raise LabError(f"{host} is off: run `python3 -m lab power-on {host}`")
            return found.enter()
        if host in ("api", "wan", "fabric") and network.exists(self.site, host):
            return self.site.enter(host)
        raise LabError(f"there is no running host {host!r}; there are {', '.join(self.hosts)}")

    @property
    def hosts(self) -> list[str]:
        return [*self.nodes, *self.machines, "api", *(["wan"] if self.wan else []), "fabric"]

    def run_in(
        self,
        host: str,
        argv: Sequence[str],
        check: bool = True,
        stdin: str | None = None,
        timeout_s: float | None = 120,
    ) -> subprocess.CompletedProcess[str]:
        """The finished command with its output as text; it ran on a node, a machine, `api` or `wan`."""
        return run([*self.enter(host), *argv], stdin=stdin, check=check, timeout_s=timeout_s)

    def kubectl(self, *arguments: str, stdin: str | None = None, check: bool = True) -> str:
        """What kubectl prints, as cluster administrator."""
        return self._client("kubectl", arguments, stdin, check)

    def kubectl_json(self, *arguments: str) -> Any:
        """What kubectl gives, parsed."""
        return json.loads(self.kubectl(*arguments, "--output=json"))

    def helm(self, *arguments: str, check: bool = True) -> str:
        """What helm prints, as cluster administrator."""
        return self._client("helm", arguments, None, check)

    def _client(self, program: str, arguments: Iterable[str], stdin: str | None, check: bool) -> str:
        argv: list[str | Path] = [*self.enter("api"), find_binary(program), *arguments]
        return run(argv, stdin=stdin, env=self.environment, check=check).stdout

    def power_off(self, host: str) -> None:
        """A node or machine is dead at once."""
        self._powered(host).power_off()

    def power_on(self, host: str) -> None:
        """A node or machine boots with the disk that it had; a node is Ready some seconds later."""
        self._powered(host).power_on()

    def reset(self, machine: str) -> None:
        """A machine boots from an empty disk."""
        self.site.topology.machine(machine)
        self.machines[machine].reset()

    def cut(self, host: str, interface: str | None = None) -> None:
        """The host's cable on that interface is cut, or all its cables."""
        for name in self._interfaces(host, interface):
            network.set_cable(self.site, host, name, connected=False)

    def heal(self, host: str) -> None:
        """The host's cables are whole again and lose nothing."""
        for name in self._interfaces(host, None):
            network.set_cable(self.site, host, name, connected=True)
            network.set_loss(self.site, host, name, 0)

    def loss(self, host: str, interface: str, percent: float) -> None:
        """The interface loses that share of packets, in each direction."""
        if not 0 <= percent <= 100:
            raise LabError(f"{percent:g}% is no share of packets: give 0 to 100")
        for name in self._interfaces(host, interface):
            network.set_loss(self.site, host, name, percent)

    def stop_api(self) -> None:
        """The API server is gone, as by a crash."""
        self.control_plane.stop_api()

    def start_api(self) -> None:
        """The API server answers again."""
        self.control_plane.start_api()

    def load(self, *images: str) -> None:
        """The images are on every running node; without names, all that were built."""
        archives = [find_archive(image) for image in images] if images else find_archives()
        loading.load_missing(self.nodes.values(), archives)

    def wait_ready(self, patience_s: float = 180) -> None:
        """Returns when every node that is on is Ready. Raises LabError with those that are not when time is up."""
        deadline = time.monotonic() + patience_s
        while missing := self._missing_nodes():
            if time.monotonic() > deadline:
                logs = self.site.folder / "nodes"
                raise LabError(f"not Ready after {patience_s:.0f} s: {', '.join(missing)}; logs in {logs}/*/log")
            time.sleep(0.5)

    def _missing_nodes(self) -> list[str]:
        """Nodes that are not Ready since they booted; one that comes back still seems Ready for 20 s."""
        nodes = self.kubectl_json("get", "nodes")["items"]
        since = {node["metadata"]["name"]: heard_at(node) for node in nodes if is_ready(node)}
        return sorted(
            name for name, host in self.nodes.items() if host.is_on and since.get(name, 0) < int(host.booted_at)
        )

    def _powered(self, host: str) -> NodeHost | MachineHost:
        found = self.nodes.get(host) or self.machines.get(host)
        if not found:
            raise LabError(f"{host!r} has no power switch; {', '.join([*self.nodes, *self.machines])} have one")
        return found

    def _interfaces(self, host: str, interface: str | None) -> list[str]:
        if node := self.nodes.get(host):
            names = network.interfaces(node.node.links)
        elif host in self.machines:
            names = [link.name for link in self.machines[host].machine.links]
        else:
            raise LabError(f"{host!r} has no cables; {', '.join([*self.nodes, *self.machines])} have some")
        if not network.exists(self.site, host):
            raise LabError(f"{host} is off: run `python3 -m lab power-on {host}`")
        if interface and interface not in names:
            raise LabError(f"{host} has no interface {interface!r}; it has {', '.join(names)}")
        return [interface] if interface else names

    def _converge(self) -> None:
        """Every part that is not running is started; those that run are left alone."""
        progress = Progress(5, f"lab {self.site.name}")
        with progress.step("control plane", "6 s"):
            if not self.is_alive:
                leftovers.clear(self.site)
                network.create_fabric(self.site)
                network.create_api(self.site)
            self.control_plane.start()
        with progress.step("images for new nodes", "1 s; 20 s when an image has changed"):
            self._furnish_new_nodes()
        with progress.step("hosts", "2 s"):
            in_parallel([host.power_on for host in self._powered_hosts])
        with progress.step("nodes Ready", "20 s"):
            self.wait_ready()
        with progress.step("images for old nodes", "5 s an image that has changed"):
            self.load()

    def _furnish_new_nodes(self) -> None:
        if new := [node.folder for node in self.nodes.values() if not node.is_furnished]:
            with locked(cache_dir("locks") / "store"):
                images = store.build_store(find_archives())
                for folder in new:
                    store.furnish(folder, images)

    @property
    def _powered_hosts(self) -> list[NodeHost | MachineHost | WanHost]:
        return [*self.nodes.values(), *self.machines.values(), *([self.wan] if self.wan else [])]

    def _stop(self) -> None:
        in_parallel([host.power_off for host in self._powered_hosts])
        self.control_plane.stop()
        leftovers.clear(self.site)


def _remove(name: str) -> None:
    """A lab's processes and its folder are gone, whatever state it is in."""
    if site := find_site(name):
        Lab(site)._stop()
    run(["rm", "--recursive", "--force", state_dir(name)])
