"""A Kubernetes node: files on its own disk, and a first process in namespaces of its own that runs everything else."""

import json
import signal
from dataclasses import dataclass
from pathlib import Path

import yaml

from lab import network
from lab.binaries import NODE, RUNC, binary_dir, search_path
from lab.cgroups import remove_cgroups
from lab.images import PAUSE, pause_archive
from lab.paths import FILES
from lab.pki import Pki
from lab.processes import Daemon, children, kill_all
from lab.site import Site
from lab.topology import Node

_KUBELET_ROOT_KEYS = {
    "apiVersion": "kubelet.config.k8s.io/v1beta1",
    "kind": "KubeletConfiguration",
    # Only the node network reaches the kubelet (its address, and the rules of network.node_rules).
    "authentication": {"anonymous": {"enabled": True}, "webhook": {"enabled": False}},
    "authorization": {"mode": "AlwaysAllow"},
    "cgroupDriver": "cgroupfs",
    "containerRuntimeEndpoint": "unix:///run/containerd/containerd.sock",
    "clusterDNS": ["10.96.0.10"],
    "clusterDomain": "cluster.local",
    "failCgroupV1": False,
    "failSwapOn": False,
    "enforceNodeAllocatable": [],
    # The nodes share one disk, so none of them may start to clean up because it is nearly full.
    "evictionHard": {
        "imagefs.available": "0%",
        "memory.available": "0%",
        "nodefs.available": "0%",
        "nodefs.inodesFree": "0%",
    },
    "imageGCHighThresholdPercent": 100,
    "localStorageCapacityIsolation": False,
    "makeIPTablesUtilChains": False,
    "nodeStatusUpdateFrequency": "4s",
    "volumePluginDir": "/var/lib/kubelet/volume-plugins",
}


@dataclass(frozen=True)
class NodeHost:
    """A node of a lab: what its files say and whether its power is on."""

    site: Site
    node: Node
    pki: Pki

    @property
    def folder(self) -> Path:
        return self.site.folder / "nodes" / self.node.name

    @property
    def init_pid(self) -> int | None:
        """The node's first process, as the host counts it; None while its power is off."""
        outer = self._daemon.pid
        return next(iter(children(outer)), None) if outer else None

    @property
    def is_on(self) -> bool:
        return self._daemon.pid is not None

    @property
    def booted_at(self) -> float:
        """When its power came on, in seconds since the epoch."""
        return self._daemon.started_at

    @property
    def is_furnished(self) -> bool:
        """Whether it has a disk with images (store.furnish)."""
        return (self.folder / "containerd").exists()

    @property
    def _daemon(self) -> Daemon:
        own = ["unshare", "--mount", "--uts", "--ipc", "--pid", "--fork", "--kill-child", "--mount-proc"]
        argv: list[str | Path] = [*self.site.enter(self.node.name), *own, "bash", FILES / "node-init.sh"]
        return Daemon("init", self.folder / "log", argv, self._environment())

    def power_on(self) -> None:
        """The node boots, with the disk that it had before."""
        if self.is_on:
            return
        self._clear()
        network.create_node(self.site, self.node)
        self._write_files()
        self._daemon.start()

    def power_off(self) -> None:
        """The node is dead, as by a power cut: its cables first, or its namespace would still refuse connections."""
        if network.exists(self.site, self.node.name):
            for interface in network.interfaces(self.node.links):
                network.set_cable(self.site, self.node.name, interface, connected=False)
        if init := self.init_pid:
            kill_all([init])
        self._daemon.stop(signal.SIGKILL)
        self._clear()

    def enter(self) -> tuple[str, ...]:
        """The start of a command that runs on the node."""
        spaces = ("--mount", "--uts", "--ipc", "--net", "--pid")
        return ("nsenter", f"--target={self.init_pid}", *spaces, "env", f"PATH={search_path()}")

    def _clear(self) -> None:
        network.delete_host(self.site, self.node.name)
        remove_cgroups(self.site.cgroup(self.node.name))

    def _environment(self) -> dict[str, str]:
        return {
            "PATH": search_path(),
            "NODE_NAME": self.node.name,
            "NODE_ADDRESS": self.node.address,
            "NODE_LABELS": ",".join(f"{key}={value}" for key, value in self.node.labels.items()),
            "NODE_DIR": str(self.folder),
            "NODE_CGROUP": self.site.cgroup(self.node.name),
            "PAUSE_IMAGE": str(pause_archive()),
            "KUBELET_KUBECONFIG": str(self.pki.kubeconfig(f"system:node:{self.node.name}")),
            "PROXY_KUBECONFIG": str(self.pki.kubeconfig("system:kube-proxy")),
        }

    def _write_files(self) -> None:
        (self.folder / "log").mkdir(parents=True, exist_ok=True)
        (self.folder / "cni").mkdir(exist_ok=True)
        (self.folder / "containerd.toml").write_text(containerd_config(self.folder))
        (self.folder / "cni" / "10-lab.conflist").write_text(json.dumps(cni_config(self.node), indent=1))
        (self.folder / "kubelet.yaml").write_text(yaml.safe_dump(kubelet_config(self.site, self.node, self.folder)))
        (self.folder / "resolv.conf").write_text(resolver(self.site, self.node))


def kubelet_config(site: Site, node: Node, folder: Path) -> dict[str, object]:
    """The kubelet's configuration file."""
    own = {"address": node.address, "cgroupRoot": f"/{site.cgroup(node.name)}"}
    return _KUBELET_ROOT_KEYS | own | {"resolvConf": str(folder / "resolv.conf")}


def cni_config(node: Node) -> dict[str, object]:
    """One network for pods: a routed pair of links each, no bridge.

    With a bridge and without br_netfilter, a Service whose backend is on the client's own node would not answer.
    """
    ipam = {
        "type": "host-local",
        "ranges": [[{"subnet": node.pod_cidr}]],
        "routes": [{"dst": "0.0.0.0/0"}],
        "dataDir": "/run/cni-ipam",
    }
    plugins = [
        {"type": "ptp", "mtu": 1500, "ipam": ipam},
        {"type": "portmap", "capabilities": {"portMappings": True}},
    ]
    return {"cniVersion": "1.0.0", "name": "lab", "plugins": plugins}


def containerd_config(folder: Path) -> str:
    """containerd's configuration file (version 3)."""
    return f"""\
version = 3
root = '{folder}/containerd'
state = '/run/containerd'
[plugins.'io.containerd.cri.v1.images'.pinned_images]
  sandbox = '{PAUSE}'
[plugins.'io.containerd.cri.v1.runtime']
  # Without this no sandbox starts where CAP_SYS_RESOURCE is missing.
  restrict_oom_score_adj = true
[plugins.'io.containerd.cri.v1.runtime'.cni]
  bin_dirs = ['{binary_dir(NODE)}']
  conf_dir = '{folder}/cni'
[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
  runtime_type = 'io.containerd.runc.v2'
[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
  BinaryName = '{binary_dir(RUNC)}/runc'
  SystemdCgroup = false
"""


def resolver(site: Site, node: Node) -> str:
    """resolv.conf of the node: the outside's DNS server where there is an uplink, else none that answers."""
    has_uplink = any(site.topology.is_uplink(link) for link in node.links)
    server = site.topology.wan.dns if site.topology.wan and has_uplink else "127.0.0.1"
    return f"nameserver {server}\n"
