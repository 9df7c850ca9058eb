"""Daemons found in a /proc that the test wrote."""

import signal
import subprocess
from pathlib import Path

from rackrelay.agent.config.processes import Process, find_daemon, reload_daemon


def add(proc: Path, pid: int, name: str, parent: int = 0, started: int = 100) -> None:
    """A process as proc(5) describes it."""
    (proc / str(pid)).mkdir()
    middle = " ".join(["0"] * 17)
    (proc / str(pid) / "stat").write_text(f"{pid} ({name}) S {parent} {middle} {started} 0 0\n")


def test_main_process_is_the_one_whose_parent_is_another(tmp_path: Path) -> None:
    add(tmp_path, 20, "nginx", parent=1)
    add(tmp_path, 21, "nginx", parent=20)
    add(tmp_path, 22, "nginx", parent=20)
    add(tmp_path, 30, "a) S 1 (b", parent=1)
    (tmp_path / "self").mkdir()
    (tmp_path / "99").mkdir()
    assert find_daemon("nginx", tmp_path) == Process(20, 100)
    assert find_daemon("a) S 1 (b", tmp_path) == Process(30, 100)
    assert find_daemon("named", tmp_path) is None


def test_oldest_wins(tmp_path: Path) -> None:
    add(tmp_path, 20, "squid", started=300)
    add(tmp_path, 40, "squid", started=200)
    assert find_daemon("squid", tmp_path) == Process(40, 200)


def test_reload_is_a_hangup_and_a_gone_process_no_error() -> None:
    # Whoever runs the tests may have been told to ignore it, as by nohup, and children are told what their parent was.
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    try:
        child = subprocess.Popen(["sleep", "60"])
    finally:
        signal.signal(signal.SIGHUP, before)
    assert reload_daemon(Process(child.pid, 0))
    assert child.wait(10) == -signal.SIGHUP
    assert not reload_daemon(Process(child.pid, 0))
