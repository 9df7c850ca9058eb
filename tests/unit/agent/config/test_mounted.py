"""Mounted folders, as the kubelet writes them."""

from pathlib import Path

from rackrelay.agent.config.mounted import current_version, read_snapshot
from rackrelay.protocol.digest import config_digest


def mount(folder: Path, version: str, data: dict[str, str]) -> None:
    """Another version of a ConfigMap volume."""
    (folder / version).mkdir(parents=True)
    for name, text in data.items():
        (folder / version / name).write_text(text)
    (folder / "..new").symlink_to(version)
    (folder / "..new").rename(folder / "..data")


def test_versions_follow_each_other(tmp_path: Path) -> None:
    mount(tmp_path, "..1", {"a": "one"})
    first = read_snapshot(tmp_path)
    assert first is not None
    assert first.data == {"a": "one"}
    assert first.digest == config_digest({"a": "one"})
    mount(tmp_path, "..2", {"a": "two", "b": ""})
    second = read_snapshot(tmp_path)
    assert second is not None
    assert second.version == current_version(tmp_path) != first.version
    assert second.data == {"a": "two", "b": ""}


def test_nothing_mounted_is_nothing_read(tmp_path: Path) -> None:
    assert current_version(tmp_path) is None
    assert read_snapshot(tmp_path) is None
    assert read_snapshot(tmp_path / "missing") is None


def test_version_that_goes_while_being_read_is_not_half_read(tmp_path: Path) -> None:
    (tmp_path / "..data").symlink_to("..gone")
    assert read_snapshot(tmp_path) is None


def test_text_in_another_encoding_is_not_read(tmp_path: Path) -> None:
    mount(tmp_path, "..1", {})
    (tmp_path / "..1" / "a").write_bytes(b"\xff\xfe")
    assert read_snapshot(tmp_path) is None


def test_packed_file_is_read_as_bytes_and_does_not_hide_the_others(tmp_path: Path) -> None:
    mount(tmp_path, "..1", {"serial": "7"})
    (tmp_path / "..1" / "zone.gz").write_bytes(b"\x1f\x8b\xff")
    snapshot = read_snapshot(tmp_path)
    assert snapshot is not None
    assert (snapshot.data, snapshot.packed) == ({"serial": "7"}, {"zone.gz": b"\x1f\x8b\xff"})
