"""The rack's disk is full: it serves the zone that it has, takes no other, and does so again once there is room."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import dns.exception
import pytest

from rackrelay import names
from rackrelay.nameservers.push import Outcome, repair
from rackrelay.nameservers.server import NameServer
from rackrelay.nameservers.update import TsigKey
from rackrelay.zone.plan import Zone
from rackrelay.zone.rule import Rrsets
from tests.dataplane import site as place
from tests.dataplane.pod import wait_until
from tests.dataplane.site import Site, build_site
from tests.dataplane.test_dns import addresses, ask

pytestmark = pytest.mark.dataplane

RACK = NameServer("site", "rack1", place.RACK_IP, names.PORT_DNS)
LABEL = place.SUBNET_NAME.partition(".")[0]
DISK_MB = 64
FILLER = f"{names.DIR_STATE}/named/filler"
# The journal's last page has room for some.
MANY = 200


@pytest.fixture
def small(image_root: Path, tmp_path: Path) -> Iterator[Site]:
    """A site whose rack has a small disk."""
    with build_site(image_root, tmp_path, DISK_MB) as site:
        yield site


def publish(site: Site, serial: int) -> Outcome:
    """What becomes of a version at the rack."""
    rrsets: Rrsets = {(LABEL, "A"): (place.RACK_PROV,), ("10-20-0-0--24", "A"): (f"10.20.0.{serial % 250 + 1}",)}
    with site.spaces["region"].inside():
        return asyncio.run(
            repair(RACK, Zone(place.DOMAIN, 15, serial, rrsets), TsigKey(site.tsig_name, site.tsig_secret))
        )


def publish_until_it_fails(site: Site, first: int) -> int:
    """The version that the rack could not keep."""
    for serial in range(first, first + MANY):
        outcome = publish(site, serial)
        if outcome is not Outcome.UPDATED:
            assert outcome is Outcome.FAILED
            return serial
    raise AssertionError("the disk is not full")


def serial_of(site: Site) -> int:
    return int(ask(site, "client", place.RACK_PROV, place.DOMAIN, "SOA").answer[0][0].serial)


def told_of_named(site: Site) -> str:
    """What the agent finds wrong with named."""
    return str(site.status(site.rack)[1]["daemons"]["named"]["message"])


def serves(site: Site) -> bool:
    """Whether a machine is told of the rack."""
    try:
        return addresses(ask(site, "client", place.RACK_PROV, place.SUBNET_NAME)) == [place.RACK_PROV]
    except dns.exception.Timeout:
        return False


def test_rack_serves_on_and_takes_the_zone_again_when_there_is_room(small: Site) -> None:
    # Without a change there is no journal that could be cut off in the middle.
    assert publish(small, place.ZONE_SERIAL + 1) is Outcome.UPDATED
    done = small.rack.execute("dd", "if=/dev/zero", f"of={FILLER}", "bs=4k")
    assert b"No space left" in done.stderr
    failed = publish_until_it_fails(small, place.ZONE_SERIAL + 2)
    assert (serial_of(small), serves(small)) == (failed - 1, True)
    wait_until(lambda: "is full" in told_of_named(small), "the agent tells", small.rack.log)
    small.rack.stop_one("named", kill=True)
    small.rack.start_one("named")
    wait_until(lambda: serves(small), "named is back", lambda: small.rack.log("named"))
    assert serial_of(small) == failed - 1
    small.rack.execute("rm", FILLER)
    assert publish(small, failed) is Outcome.UPDATED
    assert serial_of(small) == failed
    wait_until(lambda: small.all_well(small.rack), "the rack is well again", small.rack.log)
