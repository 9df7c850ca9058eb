"""The zone rule, for whatever racks and subnets there may be."""

from dataclasses import replace
from ipaddress import ip_network
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from rackrelay.addresses import Address
from rackrelay.model.subnet import Subnet
from rackrelay.zone.decision import answer_subnets
from rackrelay.zone.evidence import Tier
from rackrelay.zone.rule import Answer, RackView, build_rrsets
from tests import gen

# Few networks, nested and of both families, so that racks really meet in them.
CIDRS = ("10.0.0.0/8", "10.10.0.0/16", "10.10.0.0/24", "10.10.0.0/29", "10.20.0.0/24", "fd00::/16", "fd00:10::/64")
PLACES = ("10.10.0.0", "10.10.0.8", "10.10.1.0", "10.20.0.0", "10.30.0.0", "192.0.2.0", "fd00:10::", "fd00:20::")

Racks = list[RackView]


def build_racks(drawn: list[tuple[list[str], Tier]]) -> Racks:
    """No two racks have the same address."""
    found = []
    for i, (places, tier) in enumerate(drawn, start=1):
        texts = [f"{p}{i}" if ":" in p else f"{p.rpartition('.')[0]}.{int(p.rpartition('.')[2]) + i}" for p in places]
        found.append(gen.view(f"rack{i}", *texts, tier=tier))
    return found


def share_addresses(racks: Racks, givers: list[int]) -> Racks:
    """Every rack has the addresses of another one besides, and claims all of its own later or earlier than others."""
    found = []
    for i, (rack, giver) in enumerate(zip(racks, givers, strict=False)):
        addresses = tuple(dict.fromkeys((*rack.addresses, *racks[giver % len(racks)].addresses)))
        found.append(replace(rack, addresses=addresses, claims=dict.fromkeys(addresses, giver * (i + 1) % 3)))
    return found


subnet_lists = st.lists(st.sampled_from(CIDRS), unique=True).map(lambda cidrs: [gen.subnet(c) for c in cidrs])
rack_lists = st.lists(
    st.tuples(st.lists(st.sampled_from(PLACES), unique=True, max_size=4), st.sampled_from(Tier)), max_size=6
).map(build_racks)


def subnet_of(address: Address, subnets: list[Subnet]) -> Subnet | None:
    """The subnet that an address counts for."""
    holding = [s for s in subnets if s.cidr.version == address.version and address in s.cidr]
    return max(holding, key=lambda s: s.cidr.prefixlen, default=None)


def tiers_there(subnet: Subnet, subnets: list[Subnet], racks: Racks) -> list[Tier]:
    """The tiers of the racks that have an address in a subnet."""
    return [r.judgement.tier for r in racks if any(subnet_of(a, subnets) == subnet for a in r.addresses)]


def given_out(answer: Answer) -> set[Tier]:
    """The tiers of the racks whose addresses are given out."""
    return {m.judgement.tier for m in answer.members if set(m.addresses) & set(answer.addresses)}


@given(subnet_lists, rack_lists)
def test_name_is_empty_only_when_no_rack_has_an_address_there(subnets: list[Subnet], racks: Racks) -> None:
    for subnet in subnets:
        answer = answer_subnets(subnets, racks)[subnet.cidr]
        assert bool(answer.addresses) == bool(tiers_there(subnet, subnets, racks))


@given(subnet_lists, rack_lists)
def test_no_rack_of_a_worse_tier_while_there_is_a_better_one(subnets: list[Subnet], racks: Racks) -> None:
    for subnet in subnets:
        tiers = tiers_there(subnet, subnets, racks)
        healthy, in_use = tiers.count(Tier.HEALTHY), [t for t in tiers if t <= Tier.DEGRADED]
        expected = {min(tiers)} if tiers else set()
        if in_use and healthy < len(in_use) / 2:
            expected = set(in_use)
        assert given_out(answer_subnets(subnets, racks)[subnet.cidr]) == expected


@given(subnet_lists, rack_lists)
def test_racks_of_one_tier_are_treated_alike(subnets: list[Subnet], racks: Racks) -> None:
    for answer in answer_subnets(subnets, racks).values():
        tiers = given_out(answer)
        expected = {a for m in answer.members if m.judgement.tier in tiers for a in m.addresses}
        assert list(answer.addresses) == sorted(expected, key=int)


@given(subnet_lists, rack_lists)
def test_rack_is_listed_only_where_it_has_an_address(subnets: list[Subnet], racks: Racks) -> None:
    by_name = {r.name: r for r in racks}
    answers = answer_subnets(subnets, racks)
    for subnet in subnets:
        for member in answers[subnet.cidr].members:
            expected = [a for a in by_name[member.name].addresses if subnet_of(a, subnets) == subnet]
            assert list(member.addresses) == expected != []


@given(subnet_lists, rack_lists, st.randoms())
def test_order_of_racks_and_subnets_changes_nothing(subnets: list[Subnet], racks: Racks, random: Random) -> None:
    managed = [s.cidr for s in subnets]
    once = answer_subnets(subnets, racks)
    again = answer_subnets(random.sample(subnets, len(subnets)), random.sample(racks, len(racks)))
    assert again == once
    assert build_rrsets(again, managed) == build_rrsets(once, managed)


@given(subnet_lists, rack_lists, st.integers(0, 5))
def test_losing_one_rack_leaves_other_subnets_alone(subnets: list[Subnet], racks: Racks, which: int) -> None:
    if not racks:
        return
    lost = racks[which % len(racks)]
    dead = gen.view(lost.name, *(str(a) for a in lost.addresses), tier=Tier.UNREACHABLE)
    before = answer_subnets(subnets, racks)
    after = answer_subnets(subnets, [dead if r is lost else r for r in racks])
    touched = {s.cidr for a in lost.addresses if (s := subnet_of(a, subnets))}
    for subnet in subnets:
        if subnet.cidr not in touched:
            assert after[subnet.cidr] == before[subnet.cidr]


@given(subnet_lists, rack_lists, st.lists(st.integers(0, 5), min_size=6, max_size=6))
def test_an_address_that_several_racks_have_counts_once_and_stays(
    subnets: list[Subnet], racks: Racks, givers: list[int]
) -> None:
    shared = share_addresses(racks, givers)
    answers = answer_subnets(subnets, shared)
    for subnet in subnets:
        answer = answers[subnet.cidr]
        there = {a for r in shared for a in r.addresses if subnet_of(a, subnets) == subnet}
        assert sorted(a for m in answer.members for a in m.addresses) == sorted(there)
        assert bool(answer.addresses) == bool(there)
        assert {d.address for d in answer.disputes} == {
            a for a in there if len([r for r in shared if a in r.addresses]) > 1
        }


@given(subnet_lists, rack_lists)
def test_cables_only_add_addresses_of_the_other_family(subnets: list[Subnet], racks: Racks) -> None:
    managed = [s.cidr for s in subnets]
    apart = build_rrsets(answer_subnets(subnets, racks), managed)
    joined = build_rrsets(answer_subnets(subnets, [replace(r, cables=(r.addresses,)) for r in racks]), managed)
    assert {key: joined[key] for key in apart} == apart
    labels = {label for label, _ in apart}
    for key in joined.keys() - apart.keys():
        assert key[0] in labels
        assert set(joined[key]) <= {a for (_, kind), found in apart.items() if kind == key[1] for a in found}


relays = st.lists(st.tuples(st.sampled_from(CIDRS), st.sampled_from((*CIDRS, "192.0.2.0/24"))), max_size=4)


def relay(subnets: list[Subnet], drawn: list[tuple[str, str]]) -> list[Subnet]:
    """Some of the subnets served by others, or by themselves, or by one that is not there."""
    serving = {ip_network(cidr): gen.subnet(by).meta.name for cidr, by in drawn}
    return [replace(s, served_by=serving.get(s.cidr)) for s in subnets]


@given(subnet_lists, rack_lists, relays)
def test_relayed_subnet_answers_as_the_one_that_serves_it(
    subnets: list[Subnet], racks: Racks, drawn: list[tuple[str, str]]
) -> None:
    mixed = relay(subnets, drawn)
    own = {s.meta.name: s for s in mixed if s.served_by is None}
    answers = answer_subnets(mixed, racks)
    for subnet in mixed:
        if subnet.served_by in own:
            expected = answers[own[subnet.served_by].cidr]
            assert replace(answers[subnet.cidr], ignored=()) == expected
        elif subnet.served_by is not None:
            assert replace(answers[subnet.cidr], ignored=()) == Answer()


@given(subnet_lists, rack_lists, relays)
def test_relayed_subnets_change_nothing_for_the_others(
    subnets: list[Subnet], racks: Racks, drawn: list[tuple[str, str]]
) -> None:
    mixed = relay(subnets, drawn)
    own = [s for s in mixed if s.served_by is None]
    answers = answer_subnets(mixed, racks)
    assert {s.cidr: answers[s.cidr] for s in own} == answer_subnets(own, racks)


@given(subnet_lists, rack_lists, relays)
def test_every_name_has_addresses_of_one_family(
    subnets: list[Subnet], racks: Racks, drawn: list[tuple[str, str]]
) -> None:
    mixed = relay(subnets, drawn)
    answers = answer_subnets(mixed, racks)
    rrsets = build_rrsets(answers, [s.cidr for s in mixed])
    assert len(rrsets) == len([a for a in answers.values() if a.addresses])
    for (_, kind), addresses in rrsets.items():
        assert {":" in a for a in addresses} == {kind == "AAAA"}
