"""What a person reads while the demo runs: what was asked, what came back, how long it took."""

import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TextIO, TypeVar

from lab.cluster import Lab

Answer = TypeVar("Answer")
MAX_LINES = 6


class DemoError(Exception):
    """Something came back that should not have; the message says what was expected."""


@dataclass
class Report:
    """Runs commands on hosts of a lab and prints them; counts nothing, decides nothing."""

    lab: Lab
    out: TextIO = field(default_factory=lambda: sys.stdout)

    def title(self, text: str) -> None:
        """The heading of a step."""
        self.say(f"\n{text}")

    def say(self, text: str) -> None:
        """One line as it is."""
        print(text, file=self.out, flush=True)

    def ask(self, host: str, *argv: str, fails: bool = False, timeout_s: float = 60) -> str:
        """What a command on a host printed, without the last line break.

        Raises:
            DemoError: it failed, or, with `fails`, it did not.
        """
        began = time.monotonic()
        done = self.lab.run_in(host, argv, check=False, timeout_s=timeout_s)
        took_s = time.monotonic() - began
        self.say(f"  {host}$ {' '.join(argv)}")
        text = (done.stdout if done.stdout.strip() else done.stderr).strip()
        lines = text.splitlines()
        for line in lines[-MAX_LINES:]:
            self.say(f"      {line}")
        self.say(f"      ({'failed' if done.returncode else 'ok'}, {took_s * 1000:.0f} ms)")
        if fails != bool(done.returncode):
            raise DemoError(f"{argv[0]} on {host} {'should have failed' if fails else 'failed'}: {text[-400:]}")
        return done.stdout.strip()

    def wait(self, what: str, ready: Callable[[], Answer | None], patience_s: float = 60) -> Answer:
        """The first answer that is not None or false, asked for again and again.

        Raises:
            DemoError: it never came.
        """
        began = time.monotonic()
        while not (answer := ready()):
            if time.monotonic() - began > patience_s:
                raise DemoError(f"{what}: not within {patience_s:.0f} s")
            time.sleep(0.02)
        self.say(f"      {what}: after {time.monotonic() - began:.2f} s")
        return answer


def expect(holds: bool, message: str) -> None:
    """Go on only if something holds.

    Raises:
        DemoError: it does not.
    """
    if not holds:
        raise DemoError(message)


def same(found: Iterable[str], wanted: Iterable[str], what: str) -> None:
    """Go on only if two collections hold the same, in any order."""
    one, other = sorted(found), sorted(wanted)
    expect(one == other, f"{what}: expected {', '.join(other) or 'nothing'}, got {', '.join(one) or 'nothing'}")
