"""Run an asker in a network namespace while the bench changes something."""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from lab.paths import REPOSITORY
from tests.bench.asker import Seen, Task, read_seen, write_task


@dataclass
class Watch:
    """An asker that has begun."""

    task: Task
    process: "subprocess.Popen[bytes]"

    def finish(self) -> Seen:
        """What it saw; waits until every server has answered or its patience is over."""
        output, _ = self.process.communicate(timeout=self.task.patience_s + 30)
        if self.process.returncode:
            raise RuntimeError(f"the asker failed with exit code {self.process.returncode}")
        return read_seen(output.decode())


@contextmanager
def watch(enter: Sequence[str], task: Task) -> Iterator[Watch]:
    """An asker that asks already; `enter` is the start of a command that runs in the right network namespace."""
    command = [*enter, sys.executable, "-m", "tests.bench.asker"]
    environment = {**os.environ, "PYTHONPATH": f"{REPOSITORY / 'operator'}:{REPOSITORY}"}
    # Without a buffer: what a buffered reader takes along behind the first line, `communicate` would never see.
    process = subprocess.Popen(
        command, bufsize=0, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, cwd=REPOSITORY
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(write_task(task).encode())
        process.stdin.close()
        process.stdin = None
        if process.stdout.readline() != b"started\n":
            raise RuntimeError("the asker did not start")
        yield Watch(task, process)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def ask_all(enter: Sequence[str], task: Task) -> Seen:
    """What was seen by an asker beside which nothing else happens."""
    with watch(enter, task) as running:
        return running.finish()
