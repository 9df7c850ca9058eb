"""A lab keeps the topology that it was made with."""

from pathlib import Path

import pytest

from lab import site
from lab.errors import LabError
from lab.site import find_site, settle_site
from lab.topology import DEFAULT, load_topology


@pytest.fixture(autouse=True)
def _own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(site, "state_dir", lambda name: tmp_path / name)


@pytest.fixture
def small(tmp_path: Path) -> Path:
    file = tmp_path / "small.yaml"
    file.write_text("nodes: {only: {}}")
    return file


def test_a_new_lab_has_the_default_topology() -> None:
    assert find_site("rr") is None
    assert settle_site("rr", None).topology == load_topology(DEFAULT)
    assert find_site("rr") == settle_site("rr", None)


def test_a_lab_that_exists_keeps_its_own(small: Path) -> None:
    assert [node.name for node in settle_site("rr", small).topology.nodes] == ["only"]
    assert settle_site("rr", None) == settle_site("rr", small)


def test_another_topology_is_refused(small: Path) -> None:
    settle_site("rr", small)
    with pytest.raises(LabError, match="the lab 'rr' has another topology: use `up --fresh`"):
        settle_site("rr", DEFAULT)
