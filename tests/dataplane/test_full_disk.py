"""The rack's disk is full: it serves the zone that it has, takes no other, and does so again once there is room."""

from collections.abc import Iterator
from pathlib import Path

import dns.exception
import dns.rcode
import pytest

from rackrelay import names
from tests.dataplane import site as place
from tests.dataplane.pod import wait_until
from tests.dataplane.site import Site, build_site
from tests.dataplane.test_dns import addresses, ask, send_update

pytestmark = pytest.mark.dataplane

DISK_MB = 64
FILLER = f"{names.DIR_STATE}/named/filler"
# The journal's last page has room for some.
MANY = 200


@pytest.fixture
def small(image_root: Path, tmp_path: Path) -> Iterator[Site]:
    """A site whose rack has a small disk."""
    with build_site(image_root, tmp_path, DISK_MB) as site:
        yield site


def serial(site: Site) -> int:
    """What the rack's named serves."""
    return int(ask(site, "client", place.RACK_PROV, place.DOMAIN, "SOA").answer[0][0].serial)


def update(site: Site) -> dns.rcode.Rcode:
    """What it says to the next version."""
    return send_update(site, "region", place.RACK_IP, names.PORT_DNS, serial(site), signed=True)


def fill(site: Site) -> None:
    done = site.rack.execute("dd", "if=/dev/zero", f"of={FILLER}", "bs=4k")
    assert b"No space left" in done.stderr


def serves(site: Site) -> bool:
    """Whether a machine is told of the rack."""
    try:
        return addresses(ask(site, "client", place.RACK_PROV, place.SUBNET_NAME)) == [place.RACK_PROV]
    except dns.exception.Timeout:
        return False


def test_rack_serves_on_and_takes_the_zone_again_when_there_is_room(small: Site) -> None:
    # Without a change there is no journal that could be cut off in the middle.
    assert update(small) == dns.rcode.NOERROR
    fill(small)
    assert any(update(small) == dns.rcode.SERVFAIL for _ in range(MANY))
    kept = serial(small)
    assert serves(small)
    small.rack.stop_one("named", kill=True)
    small.rack.start_one("named")
    wait_until(lambda: serves(small), "named is back", lambda: small.rack.log("named"))
    assert serial(small) == kept
    small.rack.execute("rm", FILLER)
    assert update(small) == dns.rcode.NOERROR
    assert serial(small) == kept + 1
