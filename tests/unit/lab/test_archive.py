"""The APT origin's index and packages, read by dpkg's own tools."""

import hashlib
import subprocess
from pathlib import Path

import pytest

from lab.archive import PACKAGES, build_archive, release_file


def test_release_lists_every_index() -> None:
    text = release_file({"main/binary-all/Packages": b"x"})
    assert f" {hashlib.sha256(b'x').hexdigest()} 1 main/binary-all/Packages\n" in text


def test_archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    root = build_archive() / "debian"
    index = (root / "dists/stable/main/binary-amd64/Packages").read_text()
    assert index.count("Package: ") == len(PACKAGES)
    for package in PACKAGES:
        file = root / f"pool/{package.name}_{package.version}_all.deb"
        assert f"Filename: pool/{file.name}" in index
        assert file.stat().st_size > package.noise_bytes
        listing = subprocess.run(["dpkg-deb", "--contents", file], capture_output=True, text=True, check=True)
        assert f"./usr/bin/{package.name}" in listing.stdout
    assert build_archive() == root.parent
