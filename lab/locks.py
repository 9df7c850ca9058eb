"""One at a time: locks that other processes respect, and folders of the cache that appear whole or not at all."""

import fcntl
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def locked(file: Path) -> Iterator[None]:
    """Waits until nobody else holds the lock. It vanishes with the process that holds it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def make_once(target: Path, fill: Callable[[Path], None]) -> Path:
    """The folder, filled unless it is there. `fill` gets a scratch folder; what it puts into `root` becomes the target.

    Whoever asks for the same folder meanwhile waits; what an interrupted attempt left behind is cleared.
    """
    if target.exists():
        return target
    scratch = target.with_name(f".{target.name}")
    with locked(target.with_name(f".{target.name}.lock")):
        if not target.exists():
            shutil.rmtree(scratch, ignore_errors=True)
            (scratch / "root").mkdir(parents=True)
            (scratch / "root").chmod(0o755)
            fill(scratch)
            (scratch / "root").rename(target)
        shutil.rmtree(scratch, ignore_errors=True)
    return target
