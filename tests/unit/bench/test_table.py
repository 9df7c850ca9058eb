"""What of figures is kept and shown."""

from pathlib import Path

import pytest

from tests.bench.machine import Machine
from tests.bench.result import Goal, Result
from tests.bench.table import BEGIN, DOCUMENT, END, build_rows, document, keep_rows, markdown, plain_table, read_rows

MACHINE = Machine(2, 24, "a processor", "Linux 6.1", "2026-01-02")
FAST = Result("change visible", 20.0, "ms", 5, (18.0, 31.0), Goal(at_most=100), 400.0, "BIND", 20.0)
SMALL = Result("memory", 150.0, "MB", 1, (150.0, 150.0), Goal(at_most=120), note="one operator")


def test_rows_of_benches_that_did_not_run_are_kept(tmp_path: Path) -> None:
    file = tmp_path / "build/bench.json"
    keep_rows(file, build_rows([FAST, SMALL], MACHINE, 0.5))
    keep_rows(file, build_rows([Result("memory", 90.0, "MB", 1, (90.0, 90.0))], MACHINE, 0.1))
    assert [(row["name"], row["ours"]) for row in read_rows(file)] == [("change visible", 20.0), ("memory", 90.0)]


def test_the_file_has_what_the_design_asks_for(tmp_path: Path) -> None:
    keep_rows(tmp_path / "bench.json", build_rows([FAST], MACHINE, 0.5))
    (row,) = read_rows(tmp_path / "bench.json")
    wanted = {"name": "change visible", "ours": 20.0, "theirs": 400.0, "ratio": 20.0, "runs": 5, "spread": [18.0, 31.0]}
    assert wanted.items() <= row.items()
    assert row["goal"] == "<= 100 ms"


def test_a_missed_goal_is_seen_in_the_table() -> None:
    lines = plain_table(build_rows([FAST, SMALL], MACHINE, 0.5)).splitlines()
    assert " ".join(lines[1].split()) == "change visible <= 100 ms 20 ms 18-31 5 400 ms (BIND) 20 x yes 0.5"
    assert " ".join(lines[2].split()) == "memory <= 120 MB 150 MB 150-150 1 no 0.5"


def test_only_what_is_between_the_marks_is_replaced(tmp_path: Path) -> None:
    file = tmp_path / "performance.md"
    file.write_text(f"# Head\n\n{BEGIN}\nold\n{END}\n\nTail\n")
    document(file, build_rows([SMALL], MACHINE, 0.5))
    text = file.read_text()
    assert text.startswith(f"# Head\n\n{BEGIN}\n\nMeasured on 2026-01-02: 2 cores (a processor), 24 GB, Linux 6.1.\n")
    assert "old" not in text
    assert text.endswith(f"- memory: one operator\n\n{END}\n\nTail\n")


def test_a_document_without_marks_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "performance.md"
    file.write_text("# Head\n")
    with pytest.raises(ValueError, match="needs one line"):
        document(file, [])
    assert file.read_text() == "# Head\n"


def test_the_real_document_has_a_place_for_figures(tmp_path: Path) -> None:
    copy = tmp_path / "performance.md"
    copy.write_text(DOCUMENT.read_text())
    document(copy, build_rows([FAST], MACHINE, 0.5))
    assert "| change visible |" in copy.read_text()


def test_figures_of_different_machines_stand_apart() -> None:
    other = Machine(8, 64, "another", "Linux 6.1", "2026-01-02")
    text = markdown([*build_rows([FAST], MACHINE, 0.5), *build_rows([SMALL], other, 0.5)])
    assert text.count("Measured on") == 2
