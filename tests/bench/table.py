"""build/bench.json, the table that people read, and the part of docs/performance.md that is written from it."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lab.paths import REPOSITORY
from tests.bench.machine import Machine
from tests.bench.result import Result, show

FILE = REPOSITORY / "build/bench.json"
DOCUMENT = REPOSITORY / "docs/performance.md"
BEGIN = "<!-- figures: written by `python -m tests.bench --document` -->"
END = "<!-- end of figures -->"
HEADINGS = ("figure", "goal", "ours", "spread", "runs", "theirs", "ratio", "met", "load")

Row = Mapping[str, Any]


def build_rows(results: Iterable[Result], machine: Machine, load: float) -> list[dict[str, Any]]:
    """The results with where they come from; `load` is the machine's before they were measured."""
    return [{**result.to_json(), "load": load, "machine": machine.to_json()} for result in results]


def keep_rows(file: Path, new: Iterable[Row]) -> None:
    """The file has these rows; those of benches that did not run stay."""
    rows = {row["name"]: row for row in (*(read_rows(file) if file.exists() else []), *new)}
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({"results": list(rows.values())}, indent=1) + "\n")


def read_rows(file: Path) -> list[dict[str, Any]]:
    """The rows of the file, in the order in which they were measured first."""
    rows: list[dict[str, Any]] = json.loads(file.read_text())["results"]
    return rows


def plain_table(rows: Sequence[Row]) -> str:
    """For a terminal: columns as wide as they must be."""
    lines = [HEADINGS, *(_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADINGS))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def markdown(rows: Sequence[Row]) -> str:
    """For a document: a table for each machine and day, with their description above it and notes below."""
    blocks = []
    for machine in dict.fromkeys(Machine(**row["machine"]) for row in rows):
        own = [row for row in rows if Machine(**row["machine"]) == machine]
        lines = [_line(HEADINGS), _line(["---"] * len(HEADINGS)), *(_line(_cells(row)) for row in own)]
        notes = [f"- {row['name']}: {row['note']}" for row in own if row["note"]]
        blocks.append("\n".join([machine.sentence(), "", *lines, *(["", *notes] if notes else [])]))
    return "\n\n".join(blocks)


def document(file: Path, rows: Sequence[Row]) -> None:
    """The figures in the document are these.

    Raises:
        ValueError: the document has no place for them.
    """
    text = file.read_text()
    if text.count(BEGIN) != 1 or text.count(END) != 1:
        raise ValueError(f"{file} needs one line `{BEGIN}` and one line `{END}`")
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    file.write_text(f"{before}{BEGIN}\n\n{markdown(rows)}\n\n{END}{after}")


def _cells(row: Row) -> tuple[str, ...]:
    unit = row["unit"]
    theirs = "" if row["theirs"] is None else f"{show(row['theirs'])} {unit} ({row['rival']})"
    low, high = row["spread"]
    return (
        row["name"],
        row["goal"],
        f"{show(row['ours'])} {unit}",
        f"{show(low)}-{show(high)}",
        str(row["runs"]),
        theirs,
        "" if row["ratio"] is None else f"{show(row['ratio'])} x",
        {True: "yes", False: "no", None: ""}[row["met"]],
        str(row["load"]),
    )


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"
