"""Many named of the data-plane image at once: one mount and PID namespace for all, network namespaces of their own."""

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from rackrelay import names
from rackrelay.daemons.named import NAMED
from tests.dataplane.netns import Namespace

LOG = "log"
STATE = names.DIR_STATE

_INIT = """
set -e
mount --make-rprivate /
mount --bind "$ROOT" "$FOLDER/merged"
mount -o remount,bind,ro "$FOLDER/merged"
cd "$FOLDER/merged"
mount -t proc proc proc
mount --rbind /dev dev
mount -t tmpfs -o mode=1777 tmp tmp
mount -t tmpfs -o mode=0755 run run
mount --bind "$FOLDER/state" "$FOLDER/merged$STATE"
touch "$FOLDER/up"
exec sleep infinity
"""

# One thread each: a rack has a machine of its own, these share one.
_NAMED = f"named -g -n 1 -u rackrelay -c {STATE}/$name/{NAMED.file} 2>{STATE}/$name/{LOG}"
_START = f'for name in "$@"; do {_NAMED} & done; wait'


class Stage:
    """The image, read-only, with a folder for each server under STATE. Every server ends with it."""

    def __init__(self, root: Path, folder: Path) -> None:
        self._root, self._folder = root, folder
        self._processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        if not (self._root / "usr/sbin/named").exists():
            raise RuntimeError(f"{self._root} is no data-plane image: it has no named")
        for name in ("merged", "state"):
            (self._folder / name).mkdir()
        environment = {**os.environ, "ROOT": str(self._root), "FOLDER": str(self._folder), "STATE": STATE}
        command = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", _INIT]
        self._processes.append(subprocess.Popen(command, env=environment))
        end = time.monotonic() + 30
        while not (self._folder / "up").exists():
            if time.monotonic() > end or self._processes[0].poll() is not None:
                raise RuntimeError("the image could not be mounted")
            time.sleep(0.02)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._processes:
            process.kill()
        for process in self._processes:
            process.wait(30)

    def place(self, server: str, files: Mapping[str, str]) -> None:
        """The files of one server, in STATE/SERVER, which is its own."""
        folder = self._folder / "state" / server
        folder.mkdir()
        os.chown(folder, names.UID, names.UID)
        for name, text in files.items():
            (folder / name).write_text(text)
            os.chown(folder / name, names.UID, names.UID)

    def start(self, namespace: Namespace, servers: Sequence[str]) -> None:
        """Start these servers in a network namespace."""
        merged = str(self._folder / "merged")
        enter = ["nsenter", "-t", str(self._target()), "-m", "-p", f"--net={namespace.path}", "chroot", merged]
        environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
        self._processes.append(subprocess.Popen([*enter, "sh", "-c", _START, "sh", *servers], env=environment))

    def log(self, server: str) -> str:
        """The end of what a server has printed."""
        file = self._folder / "state" / server / LOG
        return "\n".join(file.read_text(errors="replace").splitlines()[-20:]) if file.exists() else ""

    def _target(self) -> int:
        init = self._processes[0].pid
        (child,) = Path(f"/proc/{init}/task/{init}/children").read_text().split()
        return int(child)
