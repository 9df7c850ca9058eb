"""etcd and kube-apiserver: the lab's own, or a pair on loopback for tests of the API alone.

with ApiServer() as api:
    subprocess.run(["kubectl", "--kubeconfig", api.kubeconfig, "get", "namespaces"])
    api.kill()
    api.start()
"""

import contextlib
import shutil
import signal
import socket
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from lab.binaries import find_binary
from lab.errors import LabError
from lab.pki import ADMIN, Pki
from lab.processes import Daemon
from lab.shell import run

SERVICE_CIDR = "10.96.0.0/16"
SERVICE_ADDRESS = "10.96.0.1"


@dataclass(frozen=True)
class Endpoint:
    """Where one API server and its etcd listen; `enter` is the command that brings a process there."""

    address: str = "127.0.0.1"
    port: int = 6443
    etcd_port: int = 2379
    etcd_peer_port: int = 2380
    enter: tuple[str, ...] = ()

    @property
    def url(self) -> str:
        return f"https://{self.address}:{self.port}"


def build_etcd(at: Endpoint, folder: Path) -> Daemon:
    """etcd on loopback, without fsync: a lab's data need not survive the host's power cut."""
    client, peer = f"http://127.0.0.1:{at.etcd_port}", f"http://127.0.0.1:{at.etcd_peer_port}"
    argv: list[str | Path] = [
        *at.enter,
        find_binary("etcd"),
        f"--data-dir={folder / 'etcd'}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
        "--unsafe-no-fsync",
        "--log-level=warn",
    ]
    return Daemon("etcd", folder / "log", argv)


def build_apiserver(at: Endpoint, folder: Path, pki: Pki) -> Daemon:
    """kube-apiserver with RBAC, node authorization and tokens."""
    argv: list[str | Path] = [
        *at.enter,
        find_binary("kube-apiserver"),
        f"--etcd-servers=http://127.0.0.1:{at.etcd_port}",
        f"--bind-address={at.address}",
        *_advertise(at),
        f"--secure-port={at.port}",
        f"--tls-cert-file={pki.folder / 'api.crt'}",
        f"--tls-private-key-file={pki.folder / 'api.key'}",
        f"--service-account-key-file={pki.folder / 'sa.key'}",
        f"--service-account-signing-key-file={pki.folder / 'sa.key'}",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-cluster-ip-range={SERVICE_CIDR}",
        "--authorization-mode=Node,RBAC",
        f"--token-auth-file={pki.tokens}",
        "--allow-privileged=true",
        "--enable-admission-plugins=NodeRestriction",
        f"--cert-dir={folder / 'apiserver-certs'}",
        # Otherwise logs and exec look up the node's name, which no DNS of the lab knows.
        "--kubelet-preferred-address-types=InternalIP",
    ]
    return Daemon("kube-apiserver", folder / "log", argv)


def _advertise(at: Endpoint) -> list[str]:
    # Kubernetes refuses to publish a loopback address as the `kubernetes` Service.
    on_loopback = at.address.startswith("127.")
    return ["--endpoint-reconciler-type=none"] if on_loopback else [f"--advertise-address={at.address}"]


def build_controller_manager(at: Endpoint, folder: Path, pki: Pki) -> Daemon:
    """kube-controller-manager; a node that lost power turns NotReady after 20 s instead of 50."""
    kubeconfig = pki.kubeconfig("system:kube-controller-manager")
    argv: list[str | Path] = [
        *at.enter,
        find_binary("kube-controller-manager"),
        f"--kubeconfig={kubeconfig}",
        f"--authentication-kubeconfig={kubeconfig}",
        f"--authorization-kubeconfig={kubeconfig}",
        f"--service-account-private-key-file={pki.folder / 'sa.key'}",
        f"--root-ca-file={pki.ca}",
        "--use-service-account-credentials=true",
        "--leader-elect=false",
        f"--cert-dir={folder / 'controller-manager-certs'}",
        "--node-monitor-grace-period=20s",
    ]
    return Daemon("kube-controller-manager", folder / "log", argv)


def wait_ready(at: Endpoint, pki: Pki, servers: Sequence[Daemon], patience_s: float = 90) -> None:
    """Returns when the API server says ready. Raises LabError when a process died or time is up."""
    ask: list[str | Path] = [*at.enter, find_binary("kubectl"), "--kubeconfig", pki.kubeconfig(ADMIN)]
    ask += ["get", "--raw", "/readyz"]
    deadline = time.monotonic() + patience_s
    while run(ask, check=False).returncode:
        for server in servers:
            server.require_running()
        if time.monotonic() > deadline:
            raise LabError(f"the API server is not ready after {patience_s:.0f} s; see {servers[-1].log}")
        time.sleep(0.1)


class ApiServer:
    """A real kube-apiserver and etcd on loopback, in a folder of their own that goes away with them.

    `controllers=True` adds kube-controller-manager (garbage collection, service accounts, StatefulSets).
    """

    def __init__(self, controllers: bool = False) -> None:
        ports = _free_ports(4)
        # They die with the process that started them, even when it is killed.
        enter = ("setpriv", "--pdeathsig", "KILL")
        self._at = Endpoint(port=ports[0], etcd_port=ports[1], etcd_peer_port=ports[2], enter=enter)
        self._folder = Path(tempfile.mkdtemp(prefix="rackrelay-api-"))
        self._pki = Pki(self._folder / "pki", self._at.url)
        self._etcd = build_etcd(self._at, self._folder)
        self._server = build_apiserver(self._at, self._folder, self._pki)
        manager = build_controller_manager(self._at, self._folder, self._pki)
        manager = Daemon(manager.name, manager.folder, [*manager.argv, f"--secure-port={ports[3]}"])
        self._manager = manager if controllers else None

    @property
    def url(self) -> str:
        return self._at.url

    @property
    def etcd_url(self) -> str:
        """Where etcd answers, also while the API server is away."""
        return f"http://127.0.0.1:{self._at.etcd_port}"

    @property
    def kubeconfig(self) -> Path:
        """The kubeconfig of a cluster administrator."""
        return self._pki.kubeconfig(ADMIN)

    @property
    def log(self) -> Path:
        return self._server.log

    @property
    def pid(self) -> int | None:
        """The API server's process id while it runs."""
        return self._server.pid

    def start(self) -> None:
        """The API server answers; also after `kill` or `stop`, with the same data, address and keys."""
        if not self._pki.is_complete:
            self._pki.create(["127.0.0.1", SERVICE_ADDRESS])
        self._etcd.start()
        self._server.start()
        wait_ready(self._at, self._pki, [self._etcd, self._server])
        if self._manager:
            self._manager.start()

    def kill(self) -> None:
        """The API server is gone at once, as by a crash; etcd stays."""
        self._server.stop(signal.SIGKILL)

    def stop(self) -> None:
        """The API server ends in good order; etcd stays."""
        self._server.stop(patience_s=30)

    def back_up(self) -> None:
        """What etcd has now is kept for `restore`. The API server is away meanwhile."""
        self._replace(self._folder / "etcd", self._folder / "backup")

    def restore(self) -> None:
        """etcd has what it had at `back_up` and knows of nothing since. The API server is away meanwhile."""
        self._replace(self._folder / "backup", self._folder / "etcd")

    def _replace(self, source: Path, target: Path) -> None:
        for daemon in (self._server, self._etcd):
            daemon.stop(signal.SIGKILL)
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(source, target)
        self.start()

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """What kubectl prints. Raises LabError when it fails."""
        return run([find_binary("kubectl"), "--kubeconfig", self.kubeconfig, *arguments], stdin=stdin).stdout

    def close(self) -> None:
        """Everything is killed and its folder deleted."""
        for daemon in (self._manager, self._server, self._etcd):
            if daemon:
                daemon.stop(signal.SIGKILL)
        shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _free_ports(count: int) -> list[int]:
    """Ports of loopback that nobody listens on now."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for candidate in sockets:
            candidate.bind(("127.0.0.1", 0))
        return [candidate.getsockname()[1] for candidate in sockets]
