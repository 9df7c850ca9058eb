"""One figure with what it is compared with, and the arithmetic that makes figures of runs."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any


@dataclass(frozen=True)
class Goal:
    """What a figure should be: at most or at least so much in its own unit, so many times better than theirs."""

    at_most: float | None = None
    at_least: float | None = None
    ratio: float | None = None

    def text(self, unit: str) -> str:
        """As people read it; empty when there is no goal."""
        parts = []
        if self.at_most is not None:
            parts.append(f"<= {show(self.at_most)} {unit}".strip())
        if self.at_least is not None:
            parts.append(f">= {show(self.at_least)} {unit}".strip())
        if self.ratio is not None:
            parts.append(f">= {show(self.ratio)} x")
        return ", ".join(parts)

    def is_met(self, ours: float, ratio: float | None) -> bool | None:
        """Whether every part holds; None when there is no goal. A ratio that was not measured does not count."""
        checks = []
        if self.at_most is not None:
            checks.append(ours <= self.at_most)
        if self.at_least is not None:
            checks.append(ours >= self.at_least)
        if self.ratio is not None and ratio is not None:
            checks.append(ratio >= self.ratio)
        return all(checks) if checks else None


@dataclass(frozen=True)
class Result:
    """One row. `rival` says who `theirs` is; `ratio` is how many times better ours is; `spread` is the lowest and the
    highest of our runs."""

    name: str
    ours: float
    unit: str
    runs: int
    spread: tuple[float, float]
    goal: Goal = field(default_factory=Goal)
    theirs: float | None = None
    rival: str = ""
    ratio: float | None = None
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the goal is met; None when there is none."""
        return self.goal.is_met(self.ours, self.ratio)

    def to_json(self) -> dict[str, Any]:
        """The row as build/bench.json has it."""
        return {
            "name": self.name,
            "ours": round_to(self.ours),
            "theirs": None if self.theirs is None else round_to(self.theirs),
            "rival": self.rival,
            "ratio": None if self.ratio is None else round_to(self.ratio),
            "goal": self.goal.text(self.unit),
            "met": self.met,
            "unit": self.unit,
            "runs": self.runs,
            "spread": [round_to(value) for value in self.spread],
            "note": self.note,
        }


def of_runs(name: str, values: Sequence[float], unit: str, goal: Goal, worst: bool = False) -> Result:
    """The median of the runs, or the worst of them where less is better."""
    ours = max(values) if worst else median(values)
    return Result(name, ours, unit, len(values), (min(values), max(values)), goal)


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that so great a share (0 to 1) of the values does not exceed: 0.99 of few is the greatest."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def round_to(value: float, digits: int = 3) -> float:
    """The value to so many significant digits: more would pretend."""
    if value == 0 or not math.isfinite(value):
        return value
    return round(value, digits - 1 - math.floor(math.log10(abs(value))))


def show(value: float) -> str:
    """The value as people read it: 1.3, 250, 0.0021."""
    rounded = round_to(value)
    return f"{rounded:g}" if abs(rounded) < 1e6 else f"{rounded:.0f}"
