"""A containerd folder with all images unpacked, which new nodes start from.

Unpacking the images on every node would take a minute and a copy of the data each. Layers are never written to again,
so a node's folder is made of hard links to the store's files: a second, no data, and one page cache for all nodes.
Only containerd's own databases are copied.
"""

import contextlib
import hashlib
import json
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from lab.binaries import NODE, binary_dir, build_key
from lab.errors import LabError
from lab.images import Archive, pause_archive
from lab.locks import make_once
from lab.paths import cache_dir
from lab.processes import Daemon
from lab.shell import run

_RECORD = "images.json"


def store_dir(archives: Iterable[Archive]) -> Path:
    """Where the store of these images is, once it is built."""
    parts = [build_key(NODE), pause_archive().name, *sorted(f"{archive.image} {archive.id}" for archive in archives)]
    return cache_dir("stores") / hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]


def build_store(archives: Sequence[Archive]) -> Path:
    """The store of these images and the pause image; made from the last one, so only new layers are unpacked."""
    target = store_dir(archives)
    if target.exists():
        return target
    old = sorted(cache_dir("stores").glob("[!.]*/containerd"), key=lambda path: path.stat().st_mtime)

    def fill(scratch: Path) -> None:
        root = scratch / "root"
        if old:
            link_tree(old[-1], root / "containerd")
        files = [pause_archive(), *(archive.file for archive in archives)]
        _import(files, root / "containerd", scratch)
        (root / _RECORD).write_text(json.dumps({archive.image: archive.id for archive in archives}, indent=1))

    make_once(target, fill)
    for path in old:
        shutil.rmtree(path.parent, ignore_errors=True)
    return target


def furnish(node_folder: Path, store: Path) -> None:
    """A new node has the store's images, all of them or (interrupted) none."""
    node_folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=node_folder, ignore_cleanup_errors=True) as scratch:
        link_tree(store / "containerd", Path(scratch) / "containerd")
        shutil.copy(store / _RECORD, node_folder / _RECORD)
        (Path(scratch) / "containerd").rename(node_folder / "containerd")


def link_tree(source: Path, target: Path) -> None:
    """A copy whose files are hard links, except for databases, which containerd changes in place."""
    run(["cp", "--archive", "--link", source, target])
    for database in source.rglob("io.containerd.*/*.db"):
        copy = target / database.relative_to(source)
        copy.unlink()
        shutil.copy2(database, copy)


def _import(files: Sequence[Path], root: Path, scratch: Path) -> None:
    """A containerd of its own unpacks the archives into the folder and ends."""
    with _containerd(root, scratch) as socket:
        ctr: list[str | Path] = [binary_dir(NODE) / "ctr", f"--address={socket}", "--namespace=k8s.io"]
        for file in files:
            run([*ctr, "images", "import", "--digests=false", file], timeout_s=600)


@contextlib.contextmanager
def _containerd(root: Path, scratch: Path) -> Iterator[Path]:
    """The socket of a containerd that runs meanwhile, without the parts that run containers."""
    config, state = scratch / "containerd.toml", scratch / "run"
    config.write_text(
        f"version = 3\nroot = '{root}'\nstate = '{state}'\ndisabled_plugins = ['io.containerd.grpc.v1.cri']\n"
        f"[grpc]\n  address = '{state}/containerd.sock'\n[ttrpc]\n  address = '{state}/containerd.sock.ttrpc'\n"
    )
    argv: list[str | Path] = ["unshare", "--mount", binary_dir(NODE) / "containerd", "--config", config]
    daemon = Daemon("containerd", scratch / "log", argv)
    daemon.start()
    try:
        _wait_for(state / "containerd.sock", daemon)
        yield state / "containerd.sock"
    finally:
        daemon.stop(patience_s=30)


def _wait_for(socket: Path, daemon: Daemon) -> None:
    deadline = time.monotonic() + 30
    while not socket.exists():
        daemon.require_running()
        if time.monotonic() > deadline:
            raise LabError(f"containerd does not start; see {daemon.log}")
        time.sleep(0.05)
