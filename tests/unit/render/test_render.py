"""What the golden files cannot say: what is refused, and which changes touch which file."""

from dataclasses import replace
from ipaddress import ip_network
from typing import Any

import pytest

from rackrelay import names
from rackrelay.agent.settings import parse_duties
from rackrelay.agent.sight.health import HEALTH_PROGRAM
from rackrelay.errors import InvalidSpec
from rackrelay.model.meta import Meta
from rackrelay.model.region import RegionController, RegionEndpoint
from rackrelay.model.subnet import Subnet
from rackrelay.render import rsyslog, views
from rackrelay.render.inputs import RackInputs, RegionInputs
from rackrelay.render.rack import render_rack
from rackrelay.render.region import render_region

REGION = RegionController(Meta("metal", "demo"), forwarders=("192.0.2.53",))
SUBNET = Subnet(Meta("metal", "a"), ip_network("10.10.0.0/24"))
OTHER = Subnet(Meta("metal", "b"), ip_network("10.20.0.0/24"))
ENDPOINT = RegionEndpoint(0, "demo-region-0", "10.96.0.10")
RACK = RackInputs(REGION, (SUBNET,), (ENDPOINT,))
STATIC = {names.FILE_RSYSLOG, names.FILE_SQUID}


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


def test_too_many_subnets_for_views_of_their_own_are_still_told_apart_by_recursion(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    subnets = (SUBNET, replace(OTHER, allow_dns=False))
    assert 'view "10-20-0-0--24"' in render_rack(replace(RACK, subnets=subnets))[names.FILE_NAMED]
    monkeypatch.setattr(views, "MAX_VIEWS", 1)
    files = render_rack(replace(RACK, subnets=subnets))
    assert "allow-recursion { localhost; 10.10.0.0/24; };" in files[names.FILE_NAMED]
    assert not [name for name in files if ".rpz." in name]
    assert "response-policy" not in files[names.FILE_NAMED]


def test_configuration_with_as_many_views_as_there_may_be_fits_into_a_configmap() -> None:
    nets = [ip_network(f"fd00:1234:5678:{i:x}::/64") for i in range(views.MAX_VIEWS)]
    files = render_rack(replace(RACK, subnets=tuple(Subnet(Meta("metal", str(n)), n) for n in nets)))
    assert names.policy_file(nets[-1]) in files
    assert sum(len(name) + len(text) for name, text in files.items()) < 1_000_000


@pytest.mark.parametrize(("changes", "expected"), [({"managed": True}, True), ({"managed": False}, False)])
def test_only_subnets_with_a_name_give_the_constant_name_a_meaning(changes: dict[str, Any], expected: bool) -> None:
    files = render_rack(replace(RACK, subnets=(replace(SUBNET, **changes),)))
    assert (names.policy_file(SUBNET.cidr) in files) is expected


def test_bad_endpoint_is_refused() -> None:
    with pytest.raises(InvalidSpec, match=r"status\.endpoints"):
        render_rack(replace(RACK, endpoints=(RegionEndpoint(0, "x", "None"),)))


def test_agent_reads_what_is_written_for_it() -> None:
    rack = parse_duties(render_rack(RACK)[names.FILE_AGENT])
    region = parse_duties(render_region(RegionInputs(REGION))[names.FILE_AGENT])
    assert rack.is_rack
    assert (rack.regions, rack.http_port, rack.dns_port) == (("10.96.0.10",), 5240, 53)
    assert not region.is_rack
    assert region.dns_port == 5242
    assert set(region.daemons) - set(rack.daemons) == {"metadata"}


def test_agent_and_rsyslogd_agree_on_the_health_line() -> None:
    assert rsyslog.HEALTH_PROGRAM == HEALTH_PROGRAM
