"""Says what the lab is doing: which step of how many, how long it takes, how long it took."""

import contextlib
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass
class Progress:
    """Numbered steps on standard error; on a terminal the current line moves, in a log it repeats rarely."""

    total: int
    title: str = ""
    _done: int = 0
    _said_at: float = field(default=0.0)

    @contextlib.contextmanager
    def step(self, what: str, expected: str = "") -> Iterator["Progress"]:
        """One step; prints its start at once and its duration at the end."""
        self._done += 1
        began = self._said_at = time.monotonic()
        self._line(f"{what}{f' (about {expected})' if expected else ''} ...", end=self._pause())
        yield self
        self._line(f"{what}: {format_seconds(time.monotonic() - began)}", end="\n")

    def tell(self, what: str) -> None:
        """News from inside a step: twice a second on a terminal, once in 20 s elsewhere."""
        now = time.monotonic()
        if now - self._said_at >= (0.5 if sys.stderr.isatty() else 20):
            self._said_at = now
            self._line(what, end=self._pause())

    def _line(self, text: str, end: str) -> None:
        wipe = "\r\033[K" if sys.stderr.isatty() else ""
        head = f"{self.title} " if self.title else ""
        print(f"{wipe}{head}[{self._done}/{self.total}] {text}", end=end, file=sys.stderr, flush=True)

    @staticmethod
    def _pause() -> str:
        return "" if sys.stderr.isatty() else "\n"


def format_seconds(seconds: float) -> str:
    """3.2 s, 48 s, 11 min 5 s."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
