"""Everything that a lab needs before it can come up, made once per machine."""

import functools
from collections.abc import Callable

from lab.archive import archive_dir, build_archive
from lab.binaries import build_one, missing_builds
from lab.debian import (
    base_tree,
    build_base_tree,
    build_machine_tree,
    machine_tree,
    missing_host_packages,
    prepare_host,
)
from lab.images import build_pause, pause_archive
from lab.progress import Progress


def prepare() -> None:
    """Packages, programs, trees and the pause image are there; says nothing when they were there before."""
    packages = missing_host_packages()
    steps: list[tuple[str, str, Callable[[Progress], object]]] = []
    if packages:
        what = f"install {len(packages)} Debian packages"
        steps.append((what, "1 min", lambda progress: prepare_host()))
    for build in missing_builds():
        steps.append((f"build {build.name}", build.expected, functools.partial(build_one, build)))
    if not base_tree().exists():
        steps.append(("Debian tree for images", "30 s", lambda progress: build_base_tree()))
    if not machine_tree().exists():
        steps.append(("Debian tree for machines", "30 s", lambda progress: build_machine_tree()))
    if not archive_dir().exists():
        steps.append(("APT archive", "3 s", lambda progress: build_archive()))
    if not pause_archive().exists():
        steps.append(("pause image", "1 s", lambda progress: build_pause()))
    progress = Progress(len(steps), "prepare")
    for what, expected, job in steps:
        with progress.step(what, expected):
            job(progress)
