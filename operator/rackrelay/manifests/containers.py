"""The containers of region and rack pods: one image, a daemon each, the agent before them all."""

from dataclasses import dataclass

from rackrelay import names
from rackrelay.manifests.mounts import build_mounts
from rackrelay.model.meta import Manifest
from rackrelay.model.pods import PodSettings

CONFIG = f"{names.DIR_RUN}/"

# Processor time and about the memory that each has resident in use: nginx with both workers, rsyslogd in an outage,
# Squid with its cache in memory full. Limits are the user's: one that ends or slows a daemon fails machines.
REQUESTS = {
    "prepare": ("10m", "16Mi"),
    "agent": ("25m", "48Mi"),
    "metadata": ("10m", "48Mi"),
    "named": ("25m", "64Mi"),
    "nginx": ("10m", "32Mi"),
    "rsyslogd": ("10m", "32Mi"),
    "squid": ("10m", "96Mi"),
}


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

    def container(self, name: str, command: list[str], **more: object) -> Manifest:
        """One unprivileged container with the mounts that are its own."""
        return {
            "name": name,
            "image": self.image.name,
            "imagePullPolicy": self.image.pull_policy,
            "command": command,
            "securityContext": unprivileged(),
            "volumeMounts": build_mounts(name),
            "resources": self._resources(name),
            **more,
        }

    def daemon(self, name: str, command: list[str], **more: object) -> Manifest:
        """A container that serves machines, and so goes on serving until they have heard that it leaves."""
        container = self.container(name, command, **more)
        if self.stop_after_s:
            container["lifecycle"] = {"preStop": {"sleep": {"seconds": self.stop_after_s}}}
        return container

    def _resources(self, name: str) -> Manifest:
        """The user's as they are, without our own beside them: a limit below these would be refused."""
        if name in self.pods.resources:
            return dict(self.pods.resources[name])
        cpu, memory = REQUESTS[name]
        return {"requests": {"cpu": cpu, "memory": memory}}


def build_agent(context: Context, address_field: str) -> Manifest:
    """The agent as a native sidecar: daemons start once it has written their first configuration."""
    ready = {"exec": {"command": ["test", "-f", f"{names.DIR_RUN}/{names.FILE_READY}"]}}
    return {
        **context.container("agent", ["python3", "-m", "rackrelay.agent"]),
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
    folders = " ".join(f"{names.DIR_STATE}/{folder}" for folder in names.STATE_FOLDERS)
    script = f"mkdir -p {folders} && chown {names.UID}:{names.UID} {folders}"
    container = context.container("prepare", ["sh", "-c", script])
    container["securityContext"] = rooted("CHOWN")
    return container


def build_nginx(context: Context, **more: object) -> Manifest:
    """nginx: on racks what machines dial, in region pods the gate in front of the other daemons."""
    return context.daemon("nginx", ["nginx", "-c", f"{CONFIG}{names.FILE_NGINX}"], **more)


def build_named(context: Context, *options: str, **more: object) -> Manifest:
    """BIND: the internal zone and the forwarder."""
    return context.daemon("named", ["named", "-g", *options, "-c", f"{CONFIG}{names.FILE_NAMED}"], **more)


def build_rsyslogd(context: Context) -> Manifest:
    """rsyslogd: on racks the relay with its spool, in region pods the collector."""
    command = ["rsyslogd", "-n", "-i", "NONE", "-f", f"{CONFIG}{names.FILE_RSYSLOG}"]
    return context.daemon("rsyslogd", command)


def build_squid(context: Context) -> Manifest:
    """Squid; the first run of `-z` makes the cache's folders."""
    config = f"{CONFIG}{names.FILE_SQUID}"
    return context.daemon("squid", ["sh", "-c", f"squid -N -z -f {config} && exec squid -N -f {config}"])


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
