"""The operator as a process, with the rights that its chart gives it and no others."""

import functools
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import yaml

from lab.paths import REPOSITORY
from rackrelay.cluster.client import Kind
from tests.api.chart.helm import find, load, render
from tests.api.operator.cluster import Cluster, wait_for

HOME = "rackrelay"
PLACE = "a-namespace-of-the-chart"
RBAC = "apis/rbac.authorization.k8s.io/v1"
BY_RIGHT = {
    "Namespace": Kind("Namespace", "api/v1", "namespaces", namespaced=False),
    "ServiceAccount": Kind("ServiceAccount", "api/v1", "serviceaccounts"),
    "ClusterRole": Kind("ClusterRole", RBAC, "clusterroles", namespaced=False),
    "ClusterRoleBinding": Kind("ClusterRoleBinding", RBAC, "clusterrolebindings", namespaced=False),
    "Role": Kind("Role", RBAC, "roles"),
    "RoleBinding": Kind("RoleBinding", RBAC, "rolebindings"),
}


class Operator:
    """`python -m rackrelay` for one namespace, started and ended as often as wanted; its log goes on.

    Who changes `module` or `environment` does so before it starts.
    """

    def __init__(self, kubeconfig: Path, namespace: str, folder: Path) -> None:
        self.log_file = folder / "operator.log"
        self.starts = 0
        self.module = "rackrelay"
        self.environment = {
            **os.environ,
            "KUBECONFIG": str(kubeconfig),
            "PYTHONPATH": f"{REPOSITORY / 'operator'}{os.pathsep}{REPOSITORY}",
            "REGION_NAMESPACES": namespace,
            "DATAPLANE_IMAGE": "rackrelay/dataplane:test",
            "HEALTH_PORT": str(_free_port()),
            "METRICS_PORT": str(_free_port()),
        }
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """It runs; `wait_started` waits until it has read everything."""
        assert self._process is None
        self.starts += 1
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", self.module], env=self.environment, stdout=log, stderr=log
            )

    def wait_started(self) -> None:
        words = "everything has been read once"
        wait_for(words, lambda: self.log.count(words) >= self.starts and self.is_running, lambda: self.log)

    def metrics(self) -> str:
        """What Prometheus would read."""
        url = f"http://127.0.0.1:{self.environment['METRICS_PORT']}/metrics"
        with urllib.request.urlopen(url, timeout=10) as response:
            return str(response.read().decode())

    def ask_health(self, path: str) -> int:
        """The HTTP status that the kubelet would get."""
        url = f"http://127.0.0.1:{self.environment['HEALTH_PORT']}{path}"
        try:
            with urllib.request.urlopen(url, timeout=10) as response:
                return int(response.status)
        except urllib.error.HTTPError as error:
            with error:
                return error.code

    def stop(self) -> None:
        """It ends in good order, and says so by its exit code."""
        if self._process is not None:
            process, self._process = self._process, None
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0, self.log

    def kill(self) -> None:
        """It is gone at once."""
        if self._process is not None:
            process, self._process = self._process, None
            process.kill()
            process.wait(15)

    def require_alive(self) -> None:
        """Nobody waits for an operator that has died."""
        assert self._process is None or self._process.poll() is None, self.log

    @property
    def pid(self) -> int:
        """The number of its process, which runs."""
        assert self._process is not None
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def log(self) -> str:
        return self.log_file.read_text() if self.log_file.exists() else ""


def write_kubeconfig(cluster: Cluster, namespace: str, folder: Path) -> Path:
    """The kubeconfig of the operator's service account, with the chart's rights in one namespace."""
    for manifest in yaml.safe_load_all(_rights().replace(PLACE, namespace)):
        cluster.apply(BY_RIGHT[manifest["kind"]], manifest)
    document = yaml.safe_load(cluster.server.kubeconfig.read_text())
    (context,) = document["contexts"]
    user = {"token": cluster.request_token(HOME, "rackrelay")}
    document["users"] = [{"name": context["context"]["user"], "user": user}]
    file = folder / "kubeconfig"
    file.write_text(yaml.safe_dump(document))
    return file


@functools.cache
def _rights() -> str:
    """What the chart grants in a namespace called PLACE."""
    objects = load(render("--set", f"regionNamespaces={{{PLACE}}}", "--set", "createNamespaces=false"))
    home = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": HOME}}
    return str(yaml.safe_dump_all([home, *(o for kind in BY_RIGHT for o in find(objects, kind))]))


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])
