"""Which zone named starts from. The checker is a script here; tests/dataplane has the real one."""

import os
from pathlib import Path

import dns.zone
import pytest

from rackrelay.agent.config import zonefile
from rackrelay.agent.config.mounted import Snapshot
from rackrelay.agent.config.zonefile import Published
from rackrelay.protocol.agent_config import AgentConfig
from rackrelay.zone.plan import parse_zone_text

AGENT_CONFIG = AgentConfig("rack", "maas-internal", 15, ("named",), 53, (), 5240)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for zone files, and a named-checkzone that finds the serial in the file's last line."""
    tools = tmp_path / "tools"
    tools.mkdir()
    tool = tools / "named-checkzone"
    tool.write_text(
        '#!/bin/sh\nfor f; do :; done\nread s <"$f"; [ "$s" = broken ] && exit 1\necho "loaded serial $s"\n'
    )
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    state = tmp_path / "named"
    state.mkdir()
    return state


@pytest.mark.parametrize(
    ("local", "published", "expected"),
    [
        (None, None, "SOA"),
        (None, Published(7, "seven"), "seven"),
        ("6", Published(7, "seven"), "seven"),
        ("7", Published(7, "seven"), "7"),
        ("8", Published(7, "seven"), "8"),
        ("8", None, "8"),
        ("broken", Published(7, "seven"), "seven"),
        ("broken", None, "SOA"),
    ],
)
async def test_greater_serial_wins(folder: Path, local: str | None, published: Published | None, expected: str) -> None:
    file, journal = folder / "maas-internal.zone", folder / "maas-internal.zone.jnl"
    if local is not None:
        file.write_text(f"{local}\n")
    journal.write_text("journal")
    await zonefile.prepare_zone(folder, AGENT_CONFIG, published)
    assert expected in file.read_text()
    assert journal.exists() is (file.read_text() == f"{local}\n"), "a journal stays with the file that it belongs to"


async def test_full_disk_is_an_error_and_the_old_file_stays(folder: Path) -> None:
    file = folder / "maas-internal.zone"
    file.write_text("6\n")
    (folder / "maas-internal.zone.new").mkdir()
    with pytest.raises(OSError, match="Is a directory"):
        await zonefile.prepare_zone(folder, AGENT_CONFIG, Published(7, "seven"))
    assert file.read_text() == "6\n"


def test_empty_zone_is_one_that_the_operator_understands() -> None:
    empty = zonefile.empty_zone(AGENT_CONFIG)
    zone = parse_zone_text(empty.text, "maas-internal")
    assert (zone.serial, zone.ttl_s, zone.rrsets) == (0, 15, {})
    assert dns.zone.from_text(empty.text, origin="maas-internal.", check_origin=True)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"serial": "7", "zone": "text"}, Published(7, "text")),
        ({"serial": "7\n", "zone": "text"}, Published(7, "text")),
        ({"serial": "x", "zone": "text"}, None),
        ({"serial": "7", "zone": ""}, None),
        ({"serial": "7"}, None),
        ({}, None),
    ],
)
def test_only_what_the_operator_writes_is_a_published_zone(data: dict[str, str], expected: Published | None) -> None:
    assert zonefile.parse_published(Snapshot("v", data)) == expected
    assert zonefile.parse_published(None) is None


@pytest.mark.parametrize(
    ("serial", "than", "newer"), [(1, 0, True), (0, 0, False), (0, 1, False), (0, 2**32 - 1, True), (2**31, 0, False)]
)
def test_serials_compare_as_rfc_1982_says(serial: int, than: int, newer: bool) -> None:
    assert zonefile.is_newer(serial, than) is newer
