"""Write files so that a reader finds the old text or the new one, never half of it."""

import os
from pathlib import Path

from rackrelay import names

_MODE = 0o640


def write_file(file: Path, text: str) -> None:
    """Put the text under that name at once.

    Raises:
        OSError: the disk is full or the folder is not ours; the old file is still there.
    """
    candidate = write_candidate(file, text)
    try:
        candidate.replace(file)
    except OSError:
        candidate.unlink(missing_ok=True)
        raise


def write_candidate(file: Path, text: str) -> Path:
    """Write the text beside the file, to be checked and then renamed over it."""
    candidate = file.with_name(f"{file.name}.new")
    try:
        with open(os.open(candidate, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _MODE), "w") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
    except OSError:
        candidate.unlink(missing_ok=True)
        raise
    return candidate


def read_agent_key(folder: Path) -> bytes:
    """The region's agent key from the mounted Secret, empty while there is none."""
    return (read_file(folder / names.KEY_AGENT) or "").encode()


def read_file(file: Path) -> str | None:
    """The file's text, None when there is none or it cannot be read."""
    try:
        return file.read_text()
    except (OSError, UnicodeDecodeError):
        return None
