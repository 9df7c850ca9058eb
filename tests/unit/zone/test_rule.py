"""The zone rule, by example."""

import pytest

from rackrelay.addresses import sort_addresses
from rackrelay.zone.decision import answer_subnets
from rackrelay.zone.evidence import Tier
from rackrelay.zone.rule import Answer, RackView, build_rrsets
from tests import gen

H, D, DRAINED, LEAVING, U = Tier


def answer(*racks: RackView, cidr: str = "10.10.0.0/24") -> Answer:
    subnet = gen.subnet(cidr)
    return answer_subnets([subnet], racks)[subnet.cidr]


def racks_of(*tiers: Tier) -> list[RackView]:
    """One rack for each tier: the first has 10.10.0.2, the next 10.10.0.3 and so on."""
    return [gen.view(f"rack{i}", f"10.10.0.{i}", tier=tier) for i, tier in enumerate(tiers, start=2)]


def texts(found: Answer) -> list[str]:
    return [str(a) for a in found.addresses]


@pytest.mark.parametrize(
    ("tiers", "chosen", "best"),
    [
        pytest.param([H, H], [2, 3], H, id="all healthy"),
        pytest.param([H, U], [2], H, id="the dead one is withdrawn"),
        pytest.param([U, U], [2, 3], U, id="none is better: fail open"),
        pytest.param([U], [2], U, id="the last one stays"),
        pytest.param([H, DRAINED], [2], H, id="drained gives way to healthy"),
        pytest.param([D, DRAINED], [2], D, id="drained gives way to degraded"),
        pytest.param([DRAINED, U], [2], DRAINED, id="drained still serves"),
        pytest.param([DRAINED, LEAVING], [2], DRAINED, id="one that stops soon gives way to one that stays"),
        pytest.param([LEAVING, U], [2], LEAVING, id="one that stops soon serves until then"),
        pytest.param([LEAVING, LEAVING], [2, 3], LEAVING, id="all are leaving"),
        pytest.param([H, H, D], [2, 3], H, id="most are healthy: degraded waits"),
        pytest.param([H, D], [2], H, id="exactly half healthy is enough"),
        pytest.param([H, D, D], [2, 3, 4], H, id="fewer than half healthy: degraded counts in"),
        pytest.param([H, D, D, U, DRAINED], [2, 3, 4], H, id="unreachable and drained never count in"),
        pytest.param([H, D, U, U, U], [2], H, id="the half is of those in use, not of all"),
        pytest.param([D, D], [2, 3], D, id="all degraded"),
    ],
)
def test_best_tier_answers(tiers: list[Tier], chosen: list[int], best: Tier) -> None:
    found = answer(*racks_of(*tiers))
    assert texts(found) == [f"10.10.0.{i}" for i in chosen]
    assert found.tier is best
    assert found.fail_open is (best is U)


def test_subnet_without_rack_has_no_answer() -> None:
    found = answer(gen.view("rack1", "192.0.2.7"))
    assert found == Answer()
    assert found.tier is None
    assert not found.fail_open


def test_all_addresses_of_a_rack_count() -> None:
    assert texts(answer(gen.view("rack1", "10.10.0.12", "10.10.0.2"))) == ["10.10.0.2", "10.10.0.12"]


def test_addresses_are_sorted_as_numbers() -> None:
    found = answer(gen.view("b", "10.10.0.9"), gen.view("a", "10.10.0.10"))
    assert texts(found) == ["10.10.0.9", "10.10.0.10"]


def test_members_are_sorted_and_hold_only_this_subnets_addresses() -> None:
    found = answer(gen.view("b", "10.10.0.3", "10.20.0.3"), gen.view("a", "10.10.0.2", tier=U))
    assert [(m.name, [str(a) for a in m.addresses]) for m in found.members] == [
        ("a", ["10.10.0.2"]),
        ("b", ["10.10.0.3"]),
    ]


def test_address_counts_for_the_longest_prefix_alone() -> None:
    outer, inner = gen.subnet("10.10.0.0/16"), gen.subnet("10.10.4.0/24")
    found = answer_subnets([outer, inner], [gen.view("rack1", "10.10.4.2"), gen.view("rack2", "10.10.5.2")])
    assert texts(found[inner.cidr]) == ["10.10.4.2"]
    assert texts(found[outer.cidr]) == ["10.10.5.2"]


def test_families_do_not_mix() -> None:
    v4, v6 = gen.subnet("0.0.0.0/0"), gen.subnet("::/0")
    found = answer_subnets([v4, v6], [gen.view("rack1", "10.10.0.2", "fd00:10::2")])
    assert texts(found[v4.cidr]) == ["10.10.0.2"]
    assert texts(found[v6.cidr]) == ["fd00:10::2"]


def test_rrsets_have_the_type_of_their_subnet() -> None:
    subnets = [gen.subnet("10.10.0.0/24"), gen.subnet("fd00:10::/64")]
    answers = answer_subnets(subnets, [gen.view("rack1", "10.10.0.2", "fd00:10::2")])
    assert build_rrsets(answers, [s.cidr for s in subnets]) == {
        ("10-10-0-0--24", "A"): ("10.10.0.2",),
        ("fd00-10----64", "AAAA"): ("fd00:10::2",),
    }


def test_only_managed_subnets_with_an_address_have_a_name() -> None:
    named, unmanaged, empty = gen.subnet("10.10.0.0/24"), gen.subnet("10.20.0.0/24"), gen.subnet("10.30.0.0/24")
    answers = answer_subnets([named, unmanaged, empty], [gen.view("rack1", "10.10.0.2", "10.20.0.2")])
    assert build_rrsets(answers, [named.cidr, empty.cidr]) == {("10-10-0-0--24", "A"): ("10.10.0.2",)}


def test_sort_addresses_puts_families_apart() -> None:
    found = sort_addresses(["fd00::2", "10.0.0.10", "10.0.0.9", "fd00::1"])
    assert [str(a) for a in found] == ["10.0.0.9", "10.0.0.10", "fd00::1", "fd00::2"]


PROV, VLAN = gen.subnet("10.10.0.0/24", "prov"), gen.subnet("10.30.0.0/24", "vlan", served_by="prov")


@pytest.mark.parametrize("tiers", [[H, H], [H, U], [DRAINED, H], [U], []])
def test_relayed_subnet_follows_the_one_that_serves_it(tiers: list[Tier]) -> None:
    answers = answer_subnets([VLAN, PROV], racks_of(*tiers))
    assert answers[VLAN.cidr] == answers[PROV.cidr]
    labels = {label: a for (label, _), a in build_rrsets(answers, [VLAN.cidr]).items()}
    assert labels == ({"10-30-0-0--24": tuple(texts(answers[PROV.cidr]))} if tiers else {})


def test_address_in_a_relayed_subnet_is_told_and_not_used() -> None:
    answers = answer_subnets([VLAN, PROV], [gen.view("a", "10.30.0.2", "10.10.0.2"), gen.view("b", "10.30.0.3")])
    assert texts(answers[VLAN.cidr]) == texts(answers[PROV.cidr]) == ["10.10.0.2"]
    assert [str(a) for a in answers[VLAN.cidr].ignored] == ["10.30.0.2", "10.30.0.3"]
    assert answers[PROV.cidr].ignored == ()


def test_address_in_a_relayed_subnet_counts_for_the_subnet_around_it() -> None:
    inner = gen.subnet("10.10.0.128/25", "inner", served_by="prov")
    assert texts(answer_subnets([inner, PROV], [gen.view("a", "10.10.0.200")])[PROV.cidr]) == ["10.10.0.200"]


@pytest.mark.parametrize("served_by", ["vlan", "missing", "again"])
def test_subnet_that_has_no_racks_serves_nobody(served_by: str) -> None:
    again = gen.subnet("10.31.0.0/24", "again", served_by="prov")
    found = answer_subnets([gen.subnet("10.30.0.0/24", "vlan", served_by=served_by), again, PROV], racks_of(H))
    assert found[VLAN.cidr] == Answer()


def test_relayed_subnet_of_the_other_family_has_addresses_that_racks_have() -> None:
    six = gen.subnet("fd00:30::/64", "six", served_by="prov")
    rrsets = build_rrsets(answer_subnets([six, PROV], racks_of(H)), [six.cidr])
    assert rrsets == {("fd00-30----64", "A"): ("10.10.0.2",)}
