"""Which Subnets have a view on a node, and what named reads of it."""

import json
from ipaddress import ip_network

import pytest

from rackrelay import names
from rackrelay.agent.config.views import EVERYWHERE, choose_views, expand_named
from rackrelay.agent.settings import NodeValues
from rackrelay.daemons.named import NAMED
from rackrelay.model.meta import Meta
from rackrelay.model.region import RegionController
from rackrelay.model.subnet import Subnet
from rackrelay.protocol.views_document import SubnetView, parse_views
from rackrelay.render.inputs import RackInputs
from rackrelay.render.rack import render_rack

VALUES = NodeValues("rack1", "192.0.2.1")
CROWD = tuple(Subnet(Meta("m", f"crowd{n}"), ip_network(f"172.16.{n}.0/24")) for n in range(EVERYWHERE))
SUBNETS = (
    Subnet(Meta("m", "wide"), ip_network("10.0.0.0/8")),
    Subnet(Meta("m", "a"), ip_network("10.10.0.0/24")),
    Subnet(Meta("m", "inside-a"), ip_network("10.10.0.96/27"), managed=False),
    Subnet(Meta("m", "b"), ip_network("10.20.0.0/24"), allow_dns=False),
    Subnet(Meta("m", "relayed"), ip_network("10.30.0.0/24"), served_by="b"),
    Subnet(Meta("m", "inside-relayed"), ip_network("10.30.0.128/25")),
    Subnet(Meta("m", "orphan"), ip_network("10.40.0.0/24"), served_by="missing"),
    Subnet(Meta("m", "six"), ip_network("fd00:10::/64")),
)
ORDERED = [SUBNETS[n] for n in (2, 5, 1, 3, 4, 6, 0, 7)]


def render(*subnets: Subnet) -> dict[str, str]:
    return render_rack(RackInputs(RegionController(Meta("m", "demo")), subnets))


def chosen(subnets: tuple[Subnet, ...], *addresses: str) -> list[str]:
    views = choose_views(parse_views(render(*subnets)[names.FILE_VIEWS]).subnets, addresses)
    return [str(view.cidr) for view in views]


def test_few_subnets_are_known_to_every_rack_longest_prefix_first() -> None:
    assert chosen(SUBNETS, "10.10.0.2") == chosen(SUBNETS) == [str(subnet.cidr) for subnet in ORDERED]


@pytest.mark.parametrize(
    ("addresses", "expected"),
    [
        ([], []),
        (["192.0.2.1"], []),
        (["10.10.0.2", "192.0.2.1"], ["10.10.0.96/27", "10.10.0.0/24"]),
        (["10.10.0.98"], ["10.10.0.96/27"]),
        (["10.20.0.2"], ["10.30.0.128/25", "10.20.0.0/24", "10.30.0.0/24"]),
        # The second is in a relayed network, which makes nobody serve it.
        (["10.50.0.2"], [str(s.cidr) for s in ORDERED if s.cidr.version == 4]),
        (["10.40.0.2"], [str(s.cidr) for s in ORDERED if s.cidr.version == 4]),
        (["fd00:10::2", "172.16.7.2"], ["172.16.7.0/24", "fd00:10::/64"]),
    ],
)
def test_of_many_a_rack_knows_those_that_it_serves_and_what_lies_inside(
    addresses: list[str], expected: list[str]
) -> None:
    assert chosen((*SUBNETS, *CROWD), *addresses) == expected


def test_views_and_policies_are_filled_in() -> None:
    expanded = expand_named(render(*SUBNETS, *CROWD), VALUES, ["10.10.0.2", "10.20.0.2"])
    assert "@" not in expanded.text.replace(names.PLACEHOLDER_CONFIG_HASH, "")
    assert expanded.text.index('view "10-10-0-96--27"') < expanded.text.index('view "10-10-0-0--24"')
    assert "match-clients { 10.20.0.0/24; };" in expanded.text
    assert "172-16" not in expanded.text
    # A Subnet without a name of its own gives rack.<domain> no meaning.
    assert sorted(expanded.companions) == [
        "named.rpz.10-10-0-0--24",
        "named.rpz.10-20-0-0--24",
        "named.rpz.10-30-0-0--24",
        "named.rpz.10-30-0-128--25",
    ]
    policy = expanded.companions["named.rpz.10-10-0-0--24"]
    assert "rack.maas-internal 15 IN CNAME 10-10-0-0--24.maas-internal.\n" in policy


def test_machines_of_a_subnet_without_a_view_here_may_do_what_they_may_on_their_own_racks() -> None:
    text = expand_named(render(*SUBNETS, *CROWD), VALUES, []).text
    assert "allow-recursion { localhost; 10.10.0.96/27; 10.30.0.128/25; 10.10.0.0/24; !10.20.0.0/24;" in text


def test_hash_is_the_chosen_views_as_well() -> None:
    data = render(*SUBNETS, *CROWD)
    hashes = {expand_named(data, VALUES, addresses).hash for addresses in ([], ["10.10.0.2"], ["10.20.0.2"])}
    assert len(hashes) == 3


@pytest.mark.parametrize("text", ["", "[]", '{"subnets": [["10.0.0.0/8", "x"]], "patterns": {}}'])
def test_list_that_the_operator_did_not_write(text: str) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        expand_named({NAMED.file: "", names.FILE_VIEWS: text}, VALUES, [])


def test_file_of_an_operator_without_views_is_taken_as_it_is() -> None:
    expanded = expand_named({NAMED.file: "text", "named.rpz.a": "policy"}, VALUES, ["10.10.0.2"])
    assert (expanded.text, expanded.companions) == ("text", {"named.rpz.a": "policy"})


def test_lines_are_one_for_each_subnet() -> None:
    lines = render(*SUBNETS)[names.FILE_VIEWS].splitlines()
    assert '["10.30.0.0/24", "recursive-named", "10.20.0.0/24"],' in lines
    assert '["10.40.0.0/24", "recursive-named", null],' in lines
    assert json.loads("\n".join(lines))


def test_server_of_a_plain_subnet_is_itself() -> None:
    views = parse_views(render(SUBNETS[1])[names.FILE_VIEWS])
    network = ip_network("10.10.0.0/24")
    assert views.subnets == (SubnetView(network, "recursive-named", network),)
