"""Ask a daemon's own checker whether it accepts a file."""

import asyncio
from pathlib import Path

from rackrelay.daemons.daemon import Daemon

TIMEOUT_S = 20.0
_WORDS_LIMIT = 1000


async def check_file(daemon: Daemon, file: Path, timeout_s: float = TIMEOUT_S) -> str | None:
    """None when the checker accepts the file, else its own words."""
    command = (*daemon.checker, str(file))
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
    except OSError as error:
        return f"{command[0]} cannot be run: {error}"
    try:
        output, _ = await asyncio.wait_for(process.communicate(), timeout_s)
    except TimeoutError:
        process.kill()
        await process.wait()
        return f"{command[0]} did not finish within {timeout_s:g} s"
    if process.returncode == 0:
        return None
    return _words(output) or f"{command[0]} failed with status {process.returncode}"


def _words(output: bytes) -> str:
    # Squid echoes every line that it reads before it names the one it cannot.
    lines = output.decode(errors="replace").splitlines()
    return "\n".join(line for line in lines if "| Processing: " not in line).strip()[-_WORDS_LIMIT:]
