"""A zone that is too long for people to read is kept packed, and name servers get it all the same."""

import base64
import gzip
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.apiserver import ApiServer
from rackrelay import names
from rackrelay.cluster.client import CONFIG_MAP
from rackrelay.zone.storage import PACK_ABOVE_BYTES
from tests.api.operator.rig import REGION_NAME, Rig, open_rig

pytestmark = pytest.mark.api

# As long as names may be, and as many addresses as a rack may have in a subnet: few objects make a long zone.
LONG_DOMAIN = ".".join((63 * "x", 63 * "y", 60 * "z"))
ADDRESSES = tuple(f"10.10.0.{number}" for number in range(2, 66))
RELAYED = range(19)


@pytest.fixture
def site(api_server: ApiServer, tmp_path: Path) -> Iterator[Rig]:
    """A region with one replica and a subnet without a rack, to which many others are relayed."""
    with open_rig(api_server, tmp_path) as rig:
        rig.domain = LONG_DOMAIN
        rig.operator.start()
        rig.apply("RegionController", REGION_NAME, {"replicas": 1, "domain": LONG_DOMAIN})
        rig.apply_demo("rack.yaml")
        rig.apply("Subnet", "prov-a", {"cidr": "10.10.0.0/24"})
        for number in RELAYED:
            rig.apply("Subnet", f"vlan-{number}", {"cidr": f"10.20.{number}.0/24", "servedBy": "prov-a"})
        rig.add_region_pod(0)
        yield rig


def everywhere(*addresses: str) -> dict[str, tuple[str, ...]]:
    """The names of all subnets with the same addresses."""
    return {"_10_10_0_0__24": addresses, **{f"_10_20_{number}_0__24": addresses for number in RELAYED}}


def test_long_zone_is_kept_packed_and_served(site: Rig) -> None:
    rack = site.add_rack(2, *(f"{address}/24" for address in ADDRESSES))
    zone = site.wait_zone(**everywhere(*ADDRESSES))
    kept = site.wait_object(CONFIG_MAP, names.zone_config(REGION_NAME))
    assert kept["data"] == {names.KEY_ZONE_SERIAL: str(zone.serial), names.KEY_ZONE_TEXT: ""}
    text = gzip.decompress(base64.b64decode(kept["binaryData"]["zone.gz"])).decode()
    assert len(text) > PACK_ABOVE_BYTES
    assert text.count(" IN A ") == len(ADDRESSES) * (1 + len(RELAYED))
    rack.report(addresses=[{"interface": "prov0", "address": "10.10.0.2", "prefix": 24, "carrier": True}])
    site.wait_zone(**everywhere("10.10.0.2"))
    kept = site.wait_object(CONFIG_MAP, names.zone_config(REGION_NAME))
    assert kept["data"][names.KEY_ZONE_TEXT].count(" IN A ") == 1 + len(RELAYED)
    assert "binaryData" not in kept
