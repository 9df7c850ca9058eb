"""Which process is the operator, and what it takes."""

import os
import subprocess
import sys

import pytest

from tests.bench.processes import Process, find_module, is_module


@pytest.mark.parametrize(
    ("command", "module", "found"),
    [
        (["python3", "-m", "rackrelay"], "rackrelay", True),
        (["/usr/bin/python3.13", "-m", "rackrelay.agent"], "rackrelay.agent", True),
        (["python3", "-m", "rackrelay.agent"], "rackrelay", False),
        (["sh", "-c", "python3 -m rackrelay"], "rackrelay", False),
        ([""], "rackrelay", False),
    ],
)
def test_a_process_is_known_by_its_module(command: list[str], module: str, found: bool) -> None:
    assert is_module(command, module) is found


def test_a_grandchild_is_found_and_measured() -> None:
    shell = f'"{sys.executable}" -m timeit -n 1 -r 1 "import time; time.sleep(60)" & echo started; wait'
    with subprocess.Popen(["sh", "-c", shell], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        parent.stdout.readline()
        try:
            found: list[Process] = []
            while not found:
                found = find_module(os.getpid(), "timeit")
            assert found[0].rss_mb() > 0
            assert found[0].cpu_s() >= 0
        finally:
            for process in found:
                os.kill(process.pid, 9)
