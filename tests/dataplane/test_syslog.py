"""A machine's log lines through the rack's rsyslogd into the region's files."""

import secrets
import socket
from pathlib import Path

import pytest

from tests.dataplane import site as place
from tests.dataplane.pod import wait_until
from tests.dataplane.site import Site

pytestmark = pytest.mark.dataplane


def send(site: Site, line: str, protocol: str, where: str = "client", server: str = place.RACK_PROV) -> None:
    """Log one line."""
    kind = socket.SOCK_DGRAM if protocol == "udp" else socket.SOCK_STREAM
    family = socket.AF_INET6 if ":" in server else socket.AF_INET
    with site.spaces[where].inside(), socket.socket(family, kind) as sock:
        sock.settimeout(5)
        sock.connect((server, 5247))
        sock.sendall(line.encode() + (b"" if protocol == "udp" else b"\n"))


def find_line(site: Site, mark: str) -> tuple[str, str]:
    """The name of the folder and the line that hold the mark, at the region; waits for it."""
    found: list[tuple[str, str]] = []

    def search() -> bool:
        for file in (site.region.folder / "state" / "rsyslog" / "logs").glob("*/*.log"):
            for line in file.read_text(errors="replace").splitlines():
                if mark in line:
                    found.append((file.parent.name, line))
        return bool(found)

    wait_until(search, f"a line with {mark} at the region", lambda: site.rack.log("rsyslogd"))
    return found[0]


@pytest.mark.parametrize("protocol", ["udp", "tcp"])
def test_line_arrives_with_the_machines_hostname_time_and_address(site: Site, protocol: str) -> None:
    mark = secrets.token_hex(8)
    send(site, f"<13>Nov  3 10:11:12 machine-7 tool[42]: said {mark}", protocol)
    folder, line = find_line(site, mark)
    assert folder == place.CLIENT
    assert line.startswith("<13>1 ")
    assert "-11-03T10:11:12" in line
    assert f' machine-7 tool 42 - [rack@32473 from="{place.CLIENT}"' in line
    assert line.endswith(f"] said {mark}")


def test_structured_line_keeps_its_data_and_ipv6_senders_their_address(site: Site) -> None:
    mark = secrets.token_hex(8)
    stamp = "2026-11-03T10:11:12.123456+02:00"
    send(site, f'<14>1 {stamp} host.example app 7 ID1 [a@1 b="c d"] {mark}', "tcp", server=place.RACK_PROV6)
    folder, line = find_line(site, mark)
    assert folder == place.CLIENT6
    assert f'<14>1 {stamp} host.example app 7 ID1 [rack@32473 from="{place.CLIENT6}"' in line
    assert line.endswith(f'][a@1 b="c d"] {mark}')


def test_sender_cannot_choose_the_file(site: Site) -> None:
    mark = secrets.token_hex(8)
    stamp = "2026-11-03T10:11:12Z"
    send(site, f'<14>1 {stamp} ../../../tmp/x ../y 7 - [rack@32473 from="1.2.3.4" rcvd="x"] {mark}', "udp")
    folder, _ = find_line(site, mark)
    assert folder == place.CLIENT


def test_very_long_hostname_is_no_loss(site: Site) -> None:
    mark = secrets.token_hex(8)
    send(site, f"<14>1 2026-11-03T10:11:12Z {'h' * 300} app 7 - - {mark}", "udp")
    assert find_line(site, mark)[0] == place.CLIENT


def test_agents_own_line_stays_on_the_rack(site: Site) -> None:
    mark = secrets.token_hex(8)
    send(site, f"<14>{mark}: after the agent asked", "tcp")
    find_line(site, mark)
    logs = Path(site.region.folder / "state" / "rsyslog" / "logs")
    assert not [f for f in logs.glob("*/*.log") if "rackrelay-health" in f.read_text(errors="replace")]
