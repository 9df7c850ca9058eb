"""Folders of the cache appear whole or not at all."""

from pathlib import Path

import pytest

from lab.locks import make_once


def test_filled_once(tmp_path: Path) -> None:
    def fill(scratch: Path) -> None:
        (scratch / "notes").write_text("goes away")
        (scratch / "root/file").write_text("stays")
        calls.append(scratch)

    calls: list[Path] = []
    target = make_once(tmp_path / "tree", fill)
    assert make_once(tmp_path / "tree", fill) == target
    assert [path.name for path in target.iterdir()] == ["file"]
    assert len(calls) == 1
    assert not calls[0].exists()


def test_what_an_interrupted_attempt_left_is_cleared(tmp_path: Path) -> None:
    def fail(scratch: Path) -> None:
        (scratch / "root/half").write_text("made")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_once(tmp_path / "tree", fail)
    assert not (tmp_path / "tree").exists()
    target = make_once(tmp_path / "tree", lambda scratch: (scratch / "root/whole").touch())
    assert [path.name for path in target.iterdir()] == ["whole"]
