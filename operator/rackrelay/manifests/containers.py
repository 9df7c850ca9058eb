"""The containers of region and rack pods: one image, a daemon each, the agent before them all."""

from dataclasses import dataclass

from rackrelay import names
from rackrelay.daemons.daemon import Daemon, Placement
from rackrelay.daemons.table import state_folders
from rackrelay.manifests.mounts import AGENT_MOUNTS, PREPARE_MOUNTS, build_mounts
from rackrelay.model.meta import Manifest
from rackrelay.model.pods import PodSettings

# Processor time and about the memory that each has resident in use.
AGENT_REQUESTS = ("25m", "48Mi")
PREPARE_REQUESTS = ("10m", "16Mi")


@dataclass(frozen=True)
class Image:
    """What all containers run, and when the kubelet fetches it."""

    name: str
    pull_policy: str


@dataclass(frozen=True)
class Context:
    """What containers of one pod share. `stop_after_s`: how long a daemon goes on after its pod is told to stop."""

    image: Image
    pods: PodSettings
    stop_after_s: int = 0

    def container(self, name: str, command: list[str], mounts: list[Manifest], requests: tuple[str, str]) -> Manifest:
        """One unprivileged container; `requests` are CPU and memory, unless the user says otherwise."""
        return {
            "name": name,
            "image": self.image.name,
            "imagePullPolicy": self.image.pull_policy,
            "command": command,
            "securityContext": unprivileged(),
            "volumeMounts": mounts,
            "resources": self._resources(name, requests),
        }

    def _resources(self, name: str, requests: tuple[str, str]) -> Manifest:
        """The user's as they are, without our own beside them: a limit below these would be refused."""
        if name in self.pods.resources:
            return dict(self.pods.resources[name])
        cpu, memory = requests
        return {"requests": {"cpu": cpu, "memory": memory}}


def build_agent(context: Context, address_field: str) -> Manifest:
    """The agent as a native sidecar: daemons start once it has written their first configuration."""
    ready = {"exec": {"command": ["test", "-f", f"{names.DIR_RUN}/{names.FILE_READY}"]}}
    return {
        **context.container("agent", ["python3", "-m", "rackrelay.agent"], AGENT_MOUNTS, AGENT_REQUESTS),
        "restartPolicy": "Always",
        "startupProbe": {**ready, "periodSeconds": 1, "failureThreshold": 3600, "timeoutSeconds": 5},
        "env": [
            _field_env("NODE_NAME", "spec.nodeName"),
            _field_env("NODE_IP", address_field),
            _field_env("POD_NAME", "metadata.name"),
        ],
    }


def build_prepare(context: Context) -> Manifest:
    """Give the folders of the node's own disk to the daemons' user; a new hostPath belongs to root.

    It has ended before a daemon's folder is mounted: the kubelet would make one that is missing, for root.
    """
    folders = " ".join(f"{names.DIR_STATE}/{folder}" for folder in state_folders())
    script = f"mkdir -p {folders} && chown {names.UID}:{names.UID} {folders}"
    container = context.container("prepare", ["sh", "-c", script], PREPARE_MOUNTS, PREPARE_REQUESTS)
    container["securityContext"] = rooted("CHOWN")
    return container


def build_daemon(context: Context, daemon: Daemon, component: str, http_port: int) -> Manifest:
    """A container that serves machines, and so goes on serving until they have heard that it leaves.

    `http_port`: the region's spec.http.port.
    """
    placement = daemon.placements[component]
    command, requests = list(placement.command), (daemon.cpu, daemon.memory)
    container = context.container(daemon.name, command, build_mounts(daemon), requests)
    if placement.capabilities:
        container["securityContext"] = rooted(*placement.capabilities)
    if placement.readiness is not None:
        port = placement.readiness.port or http_port
        container["readinessProbe"] = {"tcpSocket": {"port": port}, "periodSeconds": 2}
    if placement.declared_port is not None:
        container["ports"] = [_port(placement)]
    if context.stop_after_s:
        container["lifecycle"] = {"preStop": {"sleep": {"seconds": context.stop_after_s}}}
    return container


def _port(placement: Placement) -> Manifest:
    name, number = placement.declared_port or ("", 0)
    return {"name": name, "containerPort": number, "protocol": "TCP"}


def unprivileged() -> Manifest:
    """A security context that the restricted Pod Security Standard accepts."""
    return {
        "runAsUser": names.UID,
        "runAsGroup": names.UID,
        "runAsNonRoot": True,
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def rooted(*capabilities: str) -> Manifest:
    """A security context for what must start as root, with these capabilities and no others."""
    return {
        "runAsUser": 0,
        "runAsGroup": names.UID,
        "runAsNonRoot": False,
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"], "add": list(capabilities)},
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def _field_env(name: str, path: str) -> Manifest:
    return {"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}}
