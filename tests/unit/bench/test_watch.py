"""An asker and the bench that reads it, however late."""

import shlex

import pytest

from tests.bench.asker import Seen, Task, write_seen
from tests.bench.watch import ask_all

TASK = Task("name", "A", (), (("192.0.2.1", 53),), 0.1, 5.0)
SEEN = Seen({("192.0.2.1", 53): 1.5}, None)


def stand_in(output: str) -> list[str]:
    """The start of a command that reads its task and prints this at once, in the place of an asker."""
    return ["sh", "-c", f"cat >/dev/null; printf %s {shlex.quote(output)}", "sh"]


def test_what_was_seen_before_the_start_was_read_is_not_lost() -> None:
    """On a busy machine an asker has long ended when its first line is read."""
    assert ask_all(stand_in(f"started\n{write_seen(SEEN)}\n"), TASK) == SEEN


def test_asker_that_does_not_start_is_told() -> None:
    with pytest.raises(RuntimeError, match="did not start"):
        ask_all(stand_in(""), TASK)
