"""What the golden files cannot say: what is refused, and which changes touch which file."""

from dataclasses import replace
from ipaddress import ip_network

import pytest

from rackrelay import names
from rackrelay.daemons.rsyslogd import RSYSLOGD
from rackrelay.daemons.squid import SQUID
from rackrelay.errors import InvalidSpec
from rackrelay.model.meta import Meta
from rackrelay.model.region import RegionController, RegionEndpoint
from rackrelay.model.subnet import Subnet
from rackrelay.protocol.agent_config import parse_agent_config
from rackrelay.render.inputs import RackInputs, RegionInputs
from rackrelay.render.rack import render_rack
from rackrelay.render.region import render_region

REGION = RegionController(Meta("metal", "demo"), forwarders=("192.0.2.53",))
SUBNET = Subnet(Meta("metal", "a"), ip_network("10.10.0.0/24"))
OTHER = Subnet(Meta("metal", "b"), ip_network("10.20.0.0/24"))
ENDPOINT = RegionEndpoint(0, "demo-region-0", "10.96.0.10")
RACK = RackInputs(REGION, (SUBNET,), (ENDPOINT,))
STATIC = {RSYSLOGD.file, SQUID.file}


def changed(before: dict[str, str], after: dict[str, str]) -> set[str]:
    """The files that differ."""
    return {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}


@pytest.mark.parametrize(
    "after",
    [
        replace(RACK, subnets=(SUBNET, OTHER)),
        replace(RACK, subnets=()),
        replace(RACK, endpoints=()),
        replace(RACK, endpoints=(ENDPOINT, RegionEndpoint(1, "demo-region-1", "10.96.0.11"))),
    ],
)
def test_squid_and_rsyslogd_of_racks_never_change_with_subnets_or_regions(after: RackInputs) -> None:
    files = changed(render_rack(RACK), render_rack(after))
    assert files
    assert not files & STATIC


def test_squid_and_rsyslogd_of_regions_never_change_with_racks() -> None:
    before = RegionInputs(REGION, (SUBNET,), ())
    after = RegionInputs(REGION, (SUBNET, OTHER), (ip_network("192.168.77.11/32"),))
    files = changed(render_region(before), render_region(after))
    assert files
    assert not files & STATIC


@pytest.mark.parametrize(
    ("region", "field"),
    [
        (replace(REGION, domain='x"; };'), "spec.domain"),
        (replace(REGION, forwarders=("1.2.3.4; }; include x",)), "spec.dns.forwarders"),
        (replace(REGION, http_port=0), "spec.http.port"),
    ],
)
def test_values_that_cannot_be_written_are_refused_by_field(region: RegionController, field: str) -> None:
    with pytest.raises(InvalidSpec, match=field):
        render_region(RegionInputs(region))


def test_configuration_for_five_thousand_subnets_fits_into_a_configmap() -> None:
    nets = [ip_network(f"10.{n // 250}.{n % 250}.0/24") for n in range(4000)]
    nets += [ip_network(f"fd00:1234:5678:{n:x}::/64") for n in range(1000)]
    files = render_rack(replace(RACK, subnets=tuple(Subnet(Meta("metal", str(n)), n) for n in nets)))
    assert str(nets[-1]) in files[names.FILE_VIEWS]
    assert sum(len(name) + len(text) for name, text in files.items()) < 2**20


def test_bad_endpoint_is_refused() -> None:
    with pytest.raises(InvalidSpec, match=r"status\.endpoints"):
        render_rack(replace(RACK, endpoints=(RegionEndpoint(0, "x", "None"),)))


def test_agent_reads_what_is_written_for_it() -> None:
    rack = parse_agent_config(render_rack(RACK)[names.FILE_AGENT])
    region = parse_agent_config(render_region(RegionInputs(REGION))[names.FILE_AGENT])
    assert rack.is_rack
    assert (rack.regions, rack.http_port, rack.dns_port) == (("10.96.0.10",), 5240, 53)
    assert not region.is_rack
    assert region.dns_port == 5242
    assert set(region.daemons) - set(rack.daemons) == {"metadata"}
