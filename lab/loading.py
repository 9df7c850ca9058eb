"""Brings images to a node's containerd, and remembers which it has."""

import functools
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from lab.binaries import NODE, binary_dir
from lab.images import Archive
from lab.node import NodeHost
from lab.shell import in_parallel, run


def load_missing(nodes: Iterable[NodeHost], archives: Sequence[Archive]) -> None:
    """Every node that is on has every image; those that have it already are skipped."""
    running = [node for node in nodes if node.is_on]
    # One image after the other on each node: two imports at once would overwrite each other's record.
    in_parallel(functools.partial(_load_missing_on, node, archives) for node in running)


def is_missing(node: NodeHost, archive: Archive) -> bool:
    """Whether the node has not got this very image."""
    return _loaded(node).get(archive.image) != archive.id


def load(node: NodeHost, archive: Archive) -> None:
    """The image is on the node, ready for `imagePullPolicy: IfNotPresent`."""
    ctr: list[str | Path] = [binary_dir(NODE) / "ctr", "--namespace=k8s.io", "images", "import", "--digests=false"]
    run([*node.enter(), *ctr, archive.file], timeout_s=300)
    loaded = _loaded(node) | {archive.image: archive.id}
    _record(node).write_text(json.dumps(loaded, indent=1))


def _load_missing_on(node: NodeHost, archives: Iterable[Archive]) -> None:
    for archive in archives:
        if is_missing(node, archive):
            load(node, archive)


def _loaded(node: NodeHost) -> dict[str, str]:
    record = _record(node)
    return json.loads(record.read_text()) if record.exists() else {}


def _record(node: NodeHost) -> Path:
    return node.folder / "images.json"
