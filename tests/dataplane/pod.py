"""A pod without a cluster: the image read-only, the volumes of a region or rack pod, one process namespace for all."""

import base64
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rackrelay import names
from rackrelay.agent.config import processes
from rackrelay.protocol.digest import config_digest
from tests.dataplane.netns import Namespace
from tests.dataplane.view import container_view

SOURCE = Path(__file__).parents[2] / "operator"

# What the containers of a pod share: the image read-only, memory for /run and /tmp, volumes for the rest.
_INIT = """
set -e
mount --make-rprivate /
mount --bind "$ROOT" "$MERGED"
mount -o remount,bind,ro "$MERGED"
mount -t proc proc "$MERGED/proc"
mount --rbind /dev "$MERGED/dev"
mount -t tmpfs -o mode=1777 shm "$MERGED/dev/shm"
mount -t tmpfs -o mode=1777 tmp "$MERGED/tmp"
mount -t tmpfs -o mode=0755 run "$MERGED/run"
mkdir "$MERGED/run/rackrelay"
chown 10240:10240 "$MERGED/run/rackrelay"
mount --bind "$SOURCE" "$MERGED/opt/rackrelay/source"
mount --bind "$FOLDER/etc" "$MERGED/etc/rackrelay"
[ -z "$DISK_MB" ] || mount -t tmpfs -o "mode=0755,uid=10240,gid=10240,size=${DISK_MB}m" state "$FOLDER/state"
mount --bind "$FOLDER/state" "$MERGED/var/lib/rackrelay"
touch "$MERGED/run/up"
exec sleep infinity
"""

_DROPPED = ("--clear-groups", "--inh-caps=-all", "--no-new-privs")
_UNPRIVILEGED = (f"--reuid={names.UID}", f"--regid={names.UID}", *_DROPPED, "--bounding-set=-all")
_NAMED_ON_RACKS = (
    f"--regid={names.UID}",
    *_DROPPED,
    "--bounding-set=-all,+net_bind_service,+setuid,+setgid",
)


@dataclass
class Pod:
    """One pod in a network namespace. `folder` holds its volumes, `node` its NODE_NAME, `ip` its NODE_IP.

    `configured` is the digest of the configuration that was mounted last. `disk_mb`: its state has so much room and no
    more, in memory.
    """

    root: Path
    folder: Path
    namespace: Namespace
    node: str
    ip: str
    is_rack: bool = True
    disk_mb: int | None = None
    _init: subprocess.Popen[bytes] | None = None
    _daemons: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    _version: int = 0
    configured: str = ""

    def create(self, key: bytes, tsig: Mapping[str, str]) -> None:
        """Make the volumes and the namespaces."""
        for name in ("etc/config", "etc/zone", "etc/tsig", "etc/agent", "state", "merged", "log"):
            (self.folder / name).mkdir(parents=True)
        os.chown(self.folder / "state", names.UID, names.UID)
        self._mount("agent", {names.KEY_AGENT: key.decode()})
        self._mount("tsig", tsig)
        environment = {
            **os.environ,
            "ROOT": str(self.root),
            "MERGED": str(self.merged),
            "SOURCE": str(SOURCE),
            "FOLDER": str(self.folder),
            "DISK_MB": str(self.disk_mb or ""),
        }
        command = ["nsenter", f"--net={self.namespace.path}", "unshare", "--mount", "--pid", "--fork", "--kill-child"]
        self._init = subprocess.Popen([*command, "sh", "-c", _INIT], env=environment)
        wait_until(lambda: self._in_pod("test", "-f", "/run/up").returncode == 0, f"pod {self.node} is up")

    @property
    def merged(self) -> Path:
        """Where the pod's root is mounted, inside its mount namespace."""
        return self.folder / "merged"

    def configure(self, data: Mapping[str, str]) -> None:
        """Mount another version of the ConfigMap, the way the kubelet does."""
        self._mount("config", data)
        self.configured = config_digest(data)

    def mount_keys(self, files: Mapping[str, str]) -> None:
        """Mount another version of the TSIG keys."""
        self._mount("tsig", files)

    def publish(self, serial: int, zone: str) -> None:
        """Mount another version of the published zone."""
        self._mount("zone", {names.KEY_ZONE_SERIAL: str(serial), names.KEY_ZONE_TEXT: zone})

    def publish_fields(self, fields: Mapping[str, Mapping[str, str]]) -> None:
        """Mount the published zone as a ConfigMap with these fields has it."""
        packed = {name: base64.b64decode(text) for name, text in fields.get("binaryData", {}).items()}
        self._mount("zone", {**fields["data"], **packed})

    def start(self, *daemons: str) -> None:
        """Start the agent, wait until it lets the daemons start, start those."""
        if "agent" not in self._daemons:
            self.start_one("agent")
        wait_until(
            lambda: self._in_pod("test", "-f", "/run/rackrelay/ready").returncode == 0, "agent is ready", self.log
        )
        for daemon in daemons:
            self.start_one(daemon)

    def start_one(self, name: str) -> None:
        """Start one container's command with its rights and its mounts."""
        rights = _NAMED_ON_RACKS if name == "named" and self.is_rack else _UNPRIVILEGED
        command = ["chroot", str(self.merged), "setpriv", *rights, "--", *_command(name, self.is_rack)]
        own = [*container_view(name, self.folder, self.merged), *command]
        with (self.folder / "log" / name).open("ab") as log:
            self._daemons[name] = subprocess.Popen(self._join(*own), stdout=log, stderr=log, env=self._environment())

    def stop_one(self, name: str, *, kill: bool = False) -> None:
        """End one container's process, by SIGKILL when asked to."""
        self.signal(name, signal.SIGKILL if kill else signal.SIGTERM)
        self._daemons.pop(name).wait(30)

    def signal_workers(self, name: str, number: signal.Signals) -> None:
        """Send a signal to all processes of that name but the main one."""
        stats = [folder / "stat" for folder in self._proc().glob("[0-9]*")]
        numbers = {stat.parent.name for stat in stats if f" ({name}) " in stat.read_text()} - {str(self.pid(name))}
        done = self._in_pod("sh", "-c", f"kill -{number.value} {' '.join(sorted(numbers))}")
        assert done.returncode == 0, done.stderr

    def signal(self, name: str, number: signal.Signals) -> None:
        """Send a signal to a container's process."""
        done = self._in_pod("sh", "-c", f"kill -{number.value} {self.pid(name)}")
        assert done.returncode == 0, done.stderr
        if number is signal.SIGCONT:
            # nsenter has stopped itself together with its child.
            self._daemons[name].send_signal(number)

    def pid(self, name: str) -> int:
        """The number, inside the pod, of a container's main process."""
        if name not in ("agent", "metadata"):
            process = processes.find_daemon(name, self._proc())
            assert process is not None, f"{name} does not run in {self.node}:\n{self.log(name)}"
            return process.pid
        module = f"-m\0rackrelay.{name}\0".encode()
        found = [f for f in self._proc().glob("[0-9]*/cmdline") if module in f.read_bytes()]
        return int(found[0].parent.name)

    def execute(self, *command: str) -> subprocess.CompletedProcess[bytes]:
        """Run a command in the pod as the daemons' user."""
        return self._in_pod("setpriv", *_UNPRIVILEGED, "--", *command)

    def write(self, path: str, text: str) -> None:
        """Put a file into the pod, as its root."""
        self._root_file(path).write_text(text)

    def log(self, name: str = "agent") -> str:
        """What a container has printed."""
        file = self.folder / "log" / name
        return file.read_text(errors="replace") if file.exists() else ""

    def destroy(self) -> None:
        """End everything in the pod."""
        if self._init is not None:
            self._init.kill()
            self._init.wait(10)
        for daemon in self._daemons.values():
            daemon.wait(30)

    def _mount(self, volume: str, data: Mapping[str, str | bytes]) -> None:
        folder = self.folder / "etc" / volume
        self._version += 1
        version = folder / f"..{self._version}"
        version.mkdir()
        for name, content in data.items():
            (version / name).write_bytes(content if isinstance(content, bytes) else content.encode())
            link = folder / name
            if not link.is_symlink():
                link.symlink_to(f"..data/{name}")
        before = (folder / "..data").readlink() if (folder / "..data").is_symlink() else None
        (folder / "..data_tmp").symlink_to(version.name)
        (folder / "..data_tmp").rename(folder / "..data")
        if before is not None:
            shutil.rmtree(folder / before)

    def _environment(self) -> dict[str, str]:
        return {
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "PYTHONPATH": "/opt/rackrelay/source:/opt/rackrelay/libraries",
            "PYTHONDONTWRITEBYTECODE": "1",
            "NODE_NAME": self.node,
            "NODE_IP": self.ip,
            "POD_NAME": f"{self.node}-pod" if self.is_rack else "demo-region-0",
        }

    def _enter(self, *command: str) -> list[str]:
        return self._join("chroot", str(self.merged), *command)

    def _join(self, *command: str) -> list[str]:
        return ["nsenter", "-t", self._target(), "-m", "-n", "-p", *command]

    def _target(self) -> str:
        """The pod's first process, which unshare has forked, as the host counts."""
        assert self._init is not None
        children = Path(f"/proc/{self._init.pid}/task/{self._init.pid}/children").read_text().split()
        return children[0] if children else str(self._init.pid)

    def _proc(self) -> Path:
        """/proc of the pod as the test sees it."""
        return self._root_file("/proc")

    def _root_file(self, path: str) -> Path:
        return Path(f"/proc/{self._target()}/root{self.merged}{path}")

    def _in_pod(self, *command: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(self._enter(*command), env=self._environment(), capture_output=True, check=False)


def wait_until(holds: object, what: str, explain: object = None, timeout_s: float = 120.0) -> None:
    """Wait until the function gives a true value; afterwards fail with what was waited for."""
    assert callable(holds)
    end = time.monotonic() + timeout_s
    while not holds():
        if time.monotonic() > end:
            raise AssertionError(f"not within {timeout_s:g} s: {what}\n{explain() if callable(explain) else ''}")
        time.sleep(0.05)


def _command(name: str, is_rack: bool) -> Sequence[str]:
    run = names.DIR_RUN
    commands: dict[str, Sequence[str]] = {
        "agent": ("python3", "-m", "rackrelay.agent"),
        "metadata": ("python3", "-m", "rackrelay.metadata"),
        "named": ("named", "-g", *(("-u", "rackrelay") if is_rack else ()), "-c", f"{run}/named.conf"),
        "nginx": ("nginx", "-c", f"{run}/nginx.conf"),
        "rsyslogd": ("rsyslogd", "-n", "-i", "NONE", "-f", f"{run}/rsyslog.conf"),
        "squid": ("sh", "-c", f"squid -N -z -f {run}/squid.conf && exec squid -N -f {run}/squid.conf"),
    }
    return commands[name]
