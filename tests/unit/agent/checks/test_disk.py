"""Whether a rack has room for the zone's next version."""

import os
from types import SimpleNamespace

import pytest

from rackrelay.agent.checks.dns import check_disk
from rackrelay.agent.checks.result import Pod
from rackrelay.daemons.requests import DiskSpace
from rackrelay.protocol.agent_config import AgentConfig

POD = Pod(AgentConfig("rack", "maas-internal", 15, ("named",), 53, (), 5248), "192.0.2.1", 1.0)


@pytest.mark.parametrize(
    ("free_bytes", "files", "free_files", "full"),
    [
        (2**30, 1000, 900, False),
        (4 * 2**20, 1000, 900, False),
        (4 * 2**20 - 4096, 1000, 900, True),
        (2**30, 1000, 0, True),
        (2**30, 0, 0, False),
    ],
)
async def test_disk_without_room_is_told(
    free_bytes: int, files: int, free_files: int, full: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The words stay the same while it fills: each other word would be news to the whole region."""
    found = SimpleNamespace(f_bavail=free_bytes // 4096, f_frsize=4096, f_files=files, f_favail=free_files)
    monkeypatch.setattr(os, "statvfs", lambda _: found)
    failing = (await check_disk(DiskSpace(), POD)).failing
    assert ("is full" in failing.get("disk", "")) is full
    assert not any(str(number) in words for words in failing.values() for number in (free_files, free_bytes) if number)
