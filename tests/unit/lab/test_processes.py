"""Daemons are started once, stopped for sure, and never mistaken for another process."""

import os
import signal
import time
from pathlib import Path

import pytest

from lab.errors import LabError
from lab.processes import Daemon, children, is_alive, kill_all, read_pid, wait_gone


@pytest.fixture
def sleeper(tmp_path: Path):  # type: ignore[no-untyped-def]
    daemon = Daemon("sleeper", tmp_path, ["sleep", "60"])
    yield daemon
    daemon.stop(signal.SIGKILL)


def test_starts_once(sleeper: Daemon) -> None:
    first = sleeper.start()
    assert sleeper.start() == first == sleeper.pid
    assert os.getsid(first) == first


def test_stop_ends_it(sleeper: Daemon) -> None:
    pid = sleeper.start()
    sleeper.stop()
    assert sleeper.pid is None
    assert not is_alive(pid)
    sleeper.stop()


def test_what_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    stubborn = Daemon("stubborn", tmp_path, ["sh", "-c", f"trap '' TERM; touch {ready}; while :; do sleep 1; done"])
    pid = stubborn.start()
    while not ready.exists():
        time.sleep(0.01)
    kids = children(pid)
    stubborn.stop(patience_s=0.2)
    assert not is_alive(pid)
    kill_all(kids)


def test_a_recycled_process_id_is_not_ours(tmp_path: Path) -> None:
    file = tmp_path / "x.pid"
    file.write_text(f"{os.getpid()} 1\n")
    assert read_pid(file) is None
    file.write_text("rubbish")
    assert read_pid(file) is None


def test_the_error_shows_the_end_of_the_log(tmp_path: Path) -> None:
    broken = Daemon("broken", tmp_path, ["sh", "-c", "echo out of luck >&2; exit 1"])
    assert wait_gone(broken.start(), 10)
    with pytest.raises(LabError, match=r"broken has died; see .*broken\.log:\nout of luck"):
        broken.require_running()


def test_children_of_nobody() -> None:
    assert children(2**22 + 1) == []
