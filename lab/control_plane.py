"""The lab's control plane: etcd, API server, controller manager and scheduler in the `api` namespace."""

import signal
from dataclasses import dataclass
from pathlib import Path

from lab import apiserver, network
from lab.binaries import find_binary
from lab.pki import ADMIN, Pki
from lab.processes import Daemon
from lab.shell import run
from lab.site import Site


@dataclass(frozen=True)
class ControlPlane:
    """The control plane of one lab."""

    site: Site

    @property
    def at(self) -> apiserver.Endpoint:
        return apiserver.Endpoint(network.API_ADDRESS, enter=self.site.enter("api"))

    @property
    def pki(self) -> Pki:
        return Pki(self.folder / "pki", self.at.url)

    @property
    def folder(self) -> Path:
        return self.site.folder

    @property
    def kubeconfig(self) -> Path:
        """The kubeconfig of a cluster administrator; its server answers in the lab's namespaces only."""
        return self.pki.kubeconfig(ADMIN)

    @property
    def etcd(self) -> Daemon:
        return apiserver.build_etcd(self.at, self.folder)

    @property
    def server(self) -> Daemon:
        return apiserver.build_apiserver(self.at, self.folder, self.pki)

    @property
    def daemons(self) -> list[Daemon]:
        return [self.etcd, self.server, *self.controllers]

    @property
    def controllers(self) -> list[Daemon]:
        return [apiserver.build_controller_manager(self.at, self.folder, self.pki), self._scheduler()]

    def start(self) -> None:
        """Every part runs and the API server answers; parts that run are left alone."""
        if not self.pki.is_complete:
            nodes = [node.name for node in self.site.topology.nodes]
            self.pki.create([network.API_ADDRESS, apiserver.SERVICE_ADDRESS, "127.0.0.1"], nodes)
        self.etcd.start()
        self.start_api()
        for daemon in self.daemons:
            daemon.start()
        self._allow_kube_proxy()

    def start_api(self) -> None:
        """The API server runs and answers.

        After an outage the controllers begin anew, as in any cluster where they lose their Leases meanwhile: those that
        have waited longer and longer for it would be idle for up to a minute more.
        """
        was_away = self.server.pid is None
        self.server.start()
        apiserver.wait_ready(self.at, self.pki, [self.etcd, self.server])
        for controller in self.controllers if was_away else ():
            controller.stop(signal.SIGKILL)
            controller.start()

    def stop_api(self) -> None:
        """The API server is gone at once, as by a crash."""
        self.server.stop(signal.SIGKILL)

    def complaints(self, lines: int = 8) -> list[str]:
        """Whether each part runs, and what it said last."""
        said = []
        for daemon in self.daemons:
            last = daemon.log.read_text(errors="replace").splitlines()[-lines:] if daemon.log.exists() else []
            said += [f"{daemon.name} {'runs' if daemon.pid else 'has died'}:", *last]
        return said

    def stop(self) -> None:
        """Nothing of it runs."""
        for daemon in reversed(self.daemons):
            daemon.stop(signal.SIGKILL)

    def _allow_kube_proxy(self) -> None:
        role = ("--clusterrole=system:node-proxier", "--user=system:kube-proxy")
        ask: list[str | Path] = [*self.site.enter("api"), find_binary("kubectl"), "--kubeconfig", self.kubeconfig]
        if run([*ask, "get", "clusterrolebinding", "kube-proxy"], check=False).returncode:
            run([*ask, "create", "clusterrolebinding", "kube-proxy", *role])

    def _scheduler(self) -> Daemon:
        kubeconfig = self.pki.kubeconfig("system:kube-scheduler")
        argv: list[str | Path] = [
            *self.site.enter("api"),
            find_binary("kube-scheduler"),
            f"--kubeconfig={kubeconfig}",
            f"--authentication-kubeconfig={kubeconfig}",
            f"--authorization-kubeconfig={kubeconfig}",
            "--leader-elect=false",
            f"--cert-dir={self.folder / 'scheduler-certs'}",
        ]
        return Daemon("kube-scheduler", self.folder / "log", argv)
