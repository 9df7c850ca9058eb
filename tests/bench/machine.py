"""The machine that the figures come from, in the words that stand above their table."""

import os
import platform
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path


@dataclass(frozen=True)
class Machine:
    """What a figure depends on and does not change from one bench to the next."""

    cores: int
    memory_gb: int
    processor: str
    kernel: str
    date: str

    @classmethod
    def here(cls) -> "Machine":
        """This one, now."""
        return cls(
            cores=os.cpu_count() or 0,
            memory_gb=round(_field("/proc/meminfo", "MemTotal", " kB", 1) / 2**20),
            processor=_processor(),
            kernel=f"{platform.system()} {platform.release().partition('-')[0]}",
            date=datetime.now(UTC).strftime("%Y-%m-%d"),
        )

    def to_json(self) -> dict[str, object]:
        """As build/bench.json has it."""
        return asdict(self)

    def sentence(self) -> str:
        """One line for people."""
        what = f"{self.cores} cores ({self.processor}), {self.memory_gb} GB, {self.kernel}"
        return f"Measured on {self.date}: {what}."


def load() -> float:
    """How many processes have wanted a core in the last minute: figures of a busy machine say little."""
    return round(os.getloadavg()[0], 1)


def _field(file: str, name: str, unit: str, default: int) -> int:
    for line in Path(file).read_text().splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return int(value.strip().removesuffix(unit))
    return default


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        key, _, value = line.partition(":")
        if key.strip() == "model name":
            return value.strip()
    return platform.machine()
