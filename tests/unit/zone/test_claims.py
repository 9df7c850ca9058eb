"""Whose an address is that several racks have."""

from ipaddress import ip_address

from rackrelay.zone.claims import Claim, Dispute, find_disputes
from rackrelay.zone.decision import answer_subnets
from rackrelay.zone.evidence import Tier
from rackrelay.zone.rule import Answer, RackView
from tests import gen

SHARED, OWN = ip_address("10.10.0.2"), ip_address("10.10.0.3")


def disputes(*claims: Claim) -> list[Dispute]:
    return list(find_disputes({SHARED: claims}))


def test_one_rack_has_no_dispute_even_if_it_is_listed_twice() -> None:
    assert disputes(Claim("rack1", True, 1)) == []
    assert disputes(Claim("rack1", True, 1), Claim("rack1", False, 1)) == []


def test_the_first_holds_it() -> None:
    assert disputes(Claim("rack1", True, 7), Claim("rack2", True, 3)) == [Dispute(SHARED, "rack2", ("rack1",))]


def test_of_two_at_the_same_time_the_name_decides() -> None:
    assert disputes(Claim("rack2", True, 0), Claim("rack1", True, 0)) == [Dispute(SHARED, "rack1", ("rack2",))]


def test_what_an_unreachable_rack_had_goes_to_the_one_that_has_it_now() -> None:
    assert disputes(Claim("rack1", False, 1), Claim("rack2", True, 9)) == [Dispute(SHARED, "rack2", ("rack1",))]


def view(name: str, order: int, *addresses: str, tier: Tier = Tier.HEALTHY) -> RackView:
    plain = gen.view(name, *addresses, tier=tier)
    return RackView(name, plain.addresses, plain.judgement, dict.fromkeys(plain.addresses, order))


def answer(*racks: RackView) -> Answer:
    subnet = gen.subnet("10.10.0.0/24")
    return answer_subnets([subnet], racks)[subnet.cidr]


def test_the_later_rack_does_not_count_there() -> None:
    found = answer(view("rack1", 5, "10.10.0.2"), view("rack2", 2, "10.10.0.2", "10.10.0.3"))
    assert [m.name for m in found.members] == ["rack2"]
    assert found.addresses == (SHARED, OWN)
    assert found.disputes == (Dispute(SHARED, "rack2", ("rack1",)),)


def test_a_rack_keeps_what_is_its_own() -> None:
    found = answer(view("rack1", 1, "10.10.0.2"), view("rack2", 2, "10.10.0.2", "10.10.0.3"))
    assert {m.name: m.addresses for m in found.members} == {"rack1": (SHARED,), "rack2": (OWN,)}


def test_a_dead_holder_does_not_take_the_address_along() -> None:
    found = answer(view("rack1", 1, "10.10.0.2", tier=Tier.UNREACHABLE), view("rack2", 2, "10.10.0.2"))
    assert found.addresses == (SHARED,)
    assert found.tier is Tier.HEALTHY


def test_a_node_that_two_rack_controllers_select_stays_in_the_name() -> None:
    assert answer(view("rack1", 1, "10.10.0.2"), view("rack1", 1, "10.10.0.2")).addresses == (SHARED,)
