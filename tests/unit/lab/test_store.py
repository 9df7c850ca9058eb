"""A node's images are links; its databases are its own."""

from pathlib import Path

import pytest

from lab.errors import LabError
from lab.images import Archive, find_archive, find_archives, hash_inputs
from lab.store import furnish, link_tree, store_dir


def fill(store: Path) -> None:
    layer = store / "containerd/io.containerd.snapshotter.v1.overlayfs/snapshots/1/fs/bin/named"
    layer.parent.mkdir(parents=True)
    layer.write_text("program")
    (store / "containerd/io.containerd.metadata.v1.bolt").mkdir()
    (store / "containerd/io.containerd.metadata.v1.bolt/meta.db").write_text("names")
    (store / "images.json").write_text("{}")


def test_layers_are_shared_and_databases_are_not(tmp_path: Path) -> None:
    fill(tmp_path / "store")
    link_tree(tmp_path / "store/containerd", tmp_path / "copy")
    for name, shared in (
        ("io.containerd.snapshotter.v1.overlayfs/snapshots/1/fs/bin/named", True),
        ("io.containerd.metadata.v1.bolt/meta.db", False),
    ):
        source, copy = tmp_path / "store/containerd" / name, tmp_path / "copy" / name
        assert copy.read_text() == source.read_text()
        assert copy.samefile(source) is shared


def test_a_furnished_node_is_whole(tmp_path: Path) -> None:
    fill(tmp_path / "store")
    furnish(tmp_path / "node", tmp_path / "store")
    assert sorted(path.name for path in (tmp_path / "node").iterdir()) == ["containerd", "images.json"]


def test_another_image_is_another_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    one, other = Archive("a", "1", tmp_path), Archive("b", "2", tmp_path)
    stores = {store_dir([one]), store_dir([other]), store_dir([one, other]), store_dir([other, one])}
    assert len(stores) == 3


def test_archives_are_found_by_name_target_or_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    file = tmp_path / "operator-1.tar"
    folder = tmp_path / "rackrelay" / "images"
    folder.mkdir(parents=True)
    record = f'{{"image": "localhost/rackrelay/operator:dev", "id": "1", "file": "{file}"}}'
    (folder / "operator.json").write_text(record)
    assert find_archives() == []
    file.write_text("tar")
    expected = Archive("localhost/rackrelay/operator:dev", "1", file)
    assert [find_archive("operator"), find_archive(expected.image)] == [expected, expected]
    assert find_archive(str(file)).file == file
    with pytest.raises(LabError, match="no image 'dataplane': run `python3 -m lab images`"):
        find_archive("dataplane")


def test_what_goes_into_the_images_decides_whether_they_are_built(tmp_path: Path) -> None:
    for name in ("Dockerfile", ".dockerignore", "requirements/operator.txt", "operator/rackrelay/names.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    before = hash_inputs(tmp_path, "base")
    (tmp_path / "README.md").write_text("not in the images")
    (tmp_path / "operator/rackrelay/names.pyc").write_text("nor is this")
    assert hash_inputs(tmp_path, "base") == before
    assert hash_inputs(tmp_path, "other base") != before
    (tmp_path / "operator/rackrelay/names.py").write_text("changed")
    assert hash_inputs(tmp_path, "base") != before
