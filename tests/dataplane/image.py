"""The data-plane image as a folder, so that its daemons and checkers run here at the versions that pods run."""

import os
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lab.images import TARGETS, build_images
from lab.paths import cache_dir
from lab.progress import Progress

OVERRIDE = "RACKRELAY_DATAPLANE_ROOT"


@contextmanager
def unpacked_image() -> Iterator[Path]:
    """The image's root file system, up to date with the Dockerfile; OVERRIDE names one that is unpacked already."""
    if given := os.environ.get(OVERRIDE):
        yield Path(given)
        return
    build_images(Progress(3, "images"), ["dataplane"])
    container = f"rackrelay-tests-{uuid.uuid4().hex[:8]}"
    _buildah("from", "--pull-never", "--name", container, TARGETS["dataplane"])
    try:
        yield Path(_buildah("mount", container))
    finally:
        _buildah("rm", container)


def _buildah(*arguments: str) -> str:
    place = ["--root", str(cache_dir("buildah")), "--runroot", "/run/rackrelay-lab-buildah"]
    environment = {**os.environ, "BUILDAH_ISOLATION": "chroot", "STORAGE_DRIVER": "overlay"}
    command = ["buildah", *place, *arguments]
    return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout.strip()
