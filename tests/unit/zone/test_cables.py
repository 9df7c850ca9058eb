"""Names that give A and AAAA: Subnets of both families on one cable."""

from collections.abc import Sequence
from dataclasses import replace
from ipaddress import ip_address, ip_network

from rackrelay.addresses import Address, Network
from rackrelay.model.subnet import Subnet
from rackrelay.zone.cables import find_twins
from rackrelay.zone.decision import answer_subnets
from rackrelay.zone.evidence import Tier
from rackrelay.zone.rule import RackView, Rrsets, build_rrsets
from tests import gen

V4, V6, OTHER = (ip_network(text) for text in ("10.10.0.0/24", "fd00:10::/64", "fd00:20::/64"))
SUBNETS = [gen.subnet("10.10.0.0/24"), gen.subnet("fd00:10::/64")]
NAME4, NAME6 = "10-10-0-0--24", "fd00-10----64"


def wired(name: str, *addresses: str, tier: Tier = Tier.HEALTHY) -> RackView:
    """A rack with all its addresses on one interface."""
    view = gen.view(name, *addresses, tier=tier)
    return replace(view, cables=(view.addresses,))


def names_of(*racks: RackView, subnets: Sequence[Subnet] = SUBNETS) -> Rrsets:
    return build_rrsets(answer_subnets(subnets, racks), [s.cidr for s in subnets if s.managed])


def network_of(address: Address) -> Network | None:
    return next((n for n in (V4, V6, OTHER) if address.version == n.version and address in n), None)


def test_networks_of_both_families_on_one_interface_are_twins() -> None:
    cable = [ip_address(text) for text in ("10.10.0.2", "fd00:10::2", "fd00:20::2", "192.0.2.1")]
    assert find_twins([cable], network_of) == {V4: {V6, OTHER}, V6: {V4}, OTHER: {V4}}


def test_networks_on_two_interfaces_are_no_twins() -> None:
    assert find_twins([[ip_address("10.10.0.2")], [ip_address("fd00:10::2")]], network_of) == {}


def test_name_gives_both_families() -> None:
    rrsets = names_of(wired("a", "10.10.0.2", "fd00:10::2"), gen.view("b", "fd00:10::3"))
    both = {"A": ("10.10.0.2",), "AAAA": ("fd00:10::2", "fd00:10::3")}
    assert rrsets == {(name, kind): addresses for name in (NAME4, NAME6) for kind, addresses in both.items()}


def test_racks_with_a_family_on_each_interface_keep_the_names_apart() -> None:
    rrsets = names_of(gen.view("a", "10.10.0.2", "fd00:10::2"))
    assert rrsets == {(NAME4, "A"): ("10.10.0.2",), (NAME6, "AAAA"): ("fd00:10::2",)}


def test_other_family_is_left_out_where_no_rack_serves() -> None:
    for tier in (Tier.DRAINED, Tier.LEAVING, Tier.UNREACHABLE):
        rrsets = names_of(wired("a", "10.10.0.2", "fd00:10::2", tier=tier), gen.view("b", "10.10.0.3"))
        assert rrsets == {
            (NAME4, "A"): ("10.10.0.3",),
            (NAME6, "A"): ("10.10.0.3",),
            (NAME6, "AAAA"): ("fd00:10::2",),
        }


def test_subnet_without_a_name_lends_no_addresses() -> None:
    subnets = [SUBNETS[0], replace(SUBNETS[1], managed=False)]
    assert names_of(wired("a", "10.10.0.2", "fd00:10::2"), subnets=subnets) == {(NAME4, "A"): ("10.10.0.2",)}


def test_address_that_does_not_count_shows_no_cable() -> None:
    excluded = replace(wired("a", "10.10.0.2", "fd00:10::2"), addresses=(ip_address("10.10.0.2"),))
    assert names_of(excluded, gen.view("b", "fd00:10::3"))[(NAME6, "AAAA")] == ("fd00:10::3",)
    assert (NAME6, "A") not in names_of(excluded, gen.view("b", "fd00:10::3"))


def test_relayed_subnet_keeps_to_the_family_of_the_one_that_serves_it() -> None:
    relayed = replace(gen.subnet("10.30.0.0/24"), served_by=SUBNETS[0].meta.name)
    rrsets = names_of(wired("a", "10.10.0.2", "fd00:10::2"), subnets=[*SUBNETS, relayed])
    assert [key for key in rrsets if key[0] == "10-30-0-0--24"] == [("10-30-0-0--24", "A")]
