"""The APT origin: a small real Debian archive, made with dpkg-deb and dpkg-scanpackages and kept in the cache."""

import hashlib
import random
from dataclasses import dataclass
from pathlib import Path

from lab.locks import make_once
from lab.paths import cache_dir
from lab.shell import run

_DIST = Path("dists/stable")
# Every architecture may install them: they hold scripts and data only.
_INDEX = _DIST / "main/binary-all/Packages"


@dataclass(frozen=True)
class Package:
    """A package with one script, and as many bytes of noise as it should weigh."""

    name: str
    version: str
    description: str
    noise_bytes: int = 0

    @property
    def control(self) -> str:
        return (
            f"Package: {self.name}\nVersion: {self.version}\nArchitecture: all\n"
            f"Maintainer: rackrelay lab <lab@lab.test>\nDescription: {self.description}\n"
        )


PACKAGES = (
    Package("rackrelay-hello", "1.0", "says hello from a machine"),
    Package("rackrelay-bulk", "1.0", "weighs 20 MB", noise_bytes=20_000_000),
)


def archive_dir() -> Path:
    """The folder to serve as http://HOST/, with the archive in debian/; `build_archive` makes it."""
    key = hashlib.sha256(repr((PACKAGES, Path(__file__).read_text())).encode()).hexdigest()[:12]
    return cache_dir("archives") / key


def build_archive() -> Path:
    """The archive's folder, made unless it is there."""
    return make_once(archive_dir(), _fill)


def release_file(indexes: dict[str, bytes]) -> str:
    """The archive's Release file for index files by their path below dists/stable."""
    lines = [f" {hashlib.sha256(data).hexdigest()} {len(data)} {path}" for path, data in sorted(indexes.items())]
    head = "Origin: rackrelay lab\nSuite: stable\nCodename: stable\nArchitectures: all amd64 arm64\nComponents: main\n"
    return f"{head}Date: Thu, 01 Jan 2026 00:00:00 UTC\nSHA256:\n" + "\n".join(lines) + "\n"


def _fill(scratch: Path) -> None:
    root = scratch / "root/debian"
    pool = root / "pool"
    pool.mkdir(parents=True, mode=0o755)
    for package in PACKAGES:
        _build_package(package, scratch / package.name, pool)
    index = run(["env", f"--chdir={root}", "dpkg-scanpackages", "--multiversion", "pool"]).stdout.encode()
    (root / _INDEX).parent.mkdir(parents=True)
    (root / _INDEX).write_bytes(index)
    # Machines ask for their own architecture's index; it holds the same.
    indexes = {str(_INDEX.relative_to(_DIST)): index}
    for architecture in ("amd64", "arm64"):
        path = root / _DIST / f"main/binary-{architecture}/Packages"
        path.parent.mkdir()
        path.write_bytes(index)
        indexes[str(path.relative_to(root / _DIST))] = index
    (root / _DIST / "Release").write_text(release_file(indexes))


def _build_package(package: Package, tree: Path, pool: Path) -> None:
    (tree / "DEBIAN").mkdir(parents=True, mode=0o755)
    (tree / "DEBIAN/control").write_text(package.control)
    program = tree / f"usr/bin/{package.name}"
    program.parent.mkdir(parents=True)
    program.write_text(f'#!/bin/sh\necho "Hello from {package.name} {package.version} on $(hostname)"\n')
    program.chmod(0o755)
    if package.noise_bytes:
        data = tree / f"usr/share/{package.name}/noise"
        data.parent.mkdir(parents=True)
        # Always the same noise, so that the package's hash does not change from one cache to another.
        data.write_bytes(random.Random(0).randbytes(package.noise_bytes))  # noqa: S311
    run(["dpkg-deb", "--root-owner-group", "-Zgzip", "-z1", "--build", tree, pool])
