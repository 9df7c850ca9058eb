"""Metrics in the text that Prometheus reads, version 0.0.4 of its format (Prometheus documentation, "Exposition
formats"). Pure."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True)
class Sample:
    """One line. `suffix` is what follows the family's name in the lines of a histogram."""

    value: float
    labels: Mapping[str, str] = field(default_factory=dict)
    suffix: str = ""


@dataclass(frozen=True)
class Family:
    """All samples of one name. `kind` is counter, gauge or histogram."""

    name: str
    kind: str
    help: str
    samples: tuple[Sample, ...] = ()


@dataclass
class Histogram:
    """Counts of observations up to each bound, which ascend."""

    bounds: tuple[float, ...]
    total: float = 0.0
    _counts: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._counts = [0] * (len(self.bounds) + 1)

    def observe(self, value: float) -> None:
        """One more observation."""
        place = sum(bound < value for bound in self.bounds)
        self._counts[place] += 1
        self.total += value

    def samples(self, labels: Mapping[str, str]) -> tuple[Sample, ...]:
        """Its lines: how many were at most as large as each bound, their sum and their number."""
        found, count = [], 0
        for bound, counted in zip((*self.bounds, math.inf), self._counts, strict=True):
            count += counted
            found.append(Sample(count, {**labels, "le": _number(bound)}, "_bucket"))
        return (*found, Sample(self.total, labels, "_sum"), Sample(count, labels, "_count"))


def render_families(families: Iterable[Family]) -> str:
    """The text; families without a sample are left out."""
    return "".join(_family(family) for family in families if family.samples)


def _family(family: Family) -> str:
    text = family.help.replace("\\", "\\\\").replace("\n", "\\n")
    head = f"# HELP {family.name} {text}\n# TYPE {family.name} {family.kind}\n"
    return head + "".join(f"{family.name}{s.suffix}{_labels(s.labels)} {_number(s.value)}\n" for s in family.samples)


def _labels(labels: Mapping[str, str]) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_quoted(value)}"' for name, value in labels.items()) + "}"


def _quoted(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return str(int(value)) if value == int(value) else repr(value)
