"""Run a command of the host and turn its failure into a message."""

import os
import subprocess
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from lab.errors import LabError


def run(
    argv: Sequence[str | Path],
    stdin: str | None = None,
    env: Mapping[str, str] | None = None,
    check: bool = True,
    timeout_s: float | None = None,
) -> subprocess.CompletedProcess[str]:
    """The finished command with its output as text. Raises LabError with its last words when it fails."""
    command = [str(part) for part in argv]
    try:
        done = subprocess.run(
            command,
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            env={**os.environ, **env} if env else None,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout_s,
        )
    except FileNotFoundError as error:
        raise LabError(f"{command[0]} is not installed: run `python3 -m lab prepare`") from error
    except subprocess.TimeoutExpired as error:
        raise LabError(f"`{' '.join(command)}` took more than {timeout_s:g} s") from error
    if check and done.returncode:
        raise LabError(f"`{' '.join(command)}` failed ({done.returncode}): {last_words(done)}")
    return done


def last_words(done: subprocess.CompletedProcess[str], lines: int = 8) -> str:
    """The end of what a command said, errors first."""
    said = done.stderr.strip() or done.stdout.strip() or "it said nothing"
    return "\n".join(said.splitlines()[-lines:])


def in_parallel(jobs: Iterable[Callable[[], object]]) -> None:
    """Every job is done. Raises what the first one that failed raised, after the others have ended."""
    with ThreadPoolExecutor(max_workers=4) as pool:
        for future in [pool.submit(job) for job in jobs]:
            future.result()
