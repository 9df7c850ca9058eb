"""Shares of racks, compared with a count over every machine address; and what is said when they are uneven."""

from fractions import Fraction
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rackrelay.addresses import Address, Network
from rackrelay.zone.balance import address_shares, aligned_block, rack_shares, times_fair, uneven_hint
from rackrelay.zone.decision import answer_subnets
from rackrelay.zone.evidence import Tier
from rackrelay.zone.rule import RackView
from tests import gen

U = Tier.UNREACHABLE


def shares_of(cidr: str, *addresses: str) -> dict[str, str]:
    """Address -> share, as text."""
    found = address_shares(ip_network(cidr), [ip_address(a) for a in addresses])
    return {str(address): str(share) for address, share in found.items()}


def hint_of(cidr: str, *racks: RackView) -> str:
    answer = answer_subnets([gen.subnet(cidr)], racks)[ip_network(cidr)]
    return uneven_hint(ip_network(cidr), answer, rack_shares(ip_network(cidr), answer))


def common_bits(one: Address, other: Address) -> int:
    """Leading bits that two addresses share, counted one by one."""
    width = one.max_prefixlen
    pairs = zip(f"{int(one):0{width}b}", f"{int(other):0{width}b}", strict=True)
    return next((i for i, (a, b) in enumerate(pairs) if a != b), width)


def count_choices(network: Network, addresses: list[Address]) -> dict[Address, Fraction]:
    """What every machine of the network chooses, one by one."""
    found = dict.fromkeys(addresses, Fraction(0))
    for machine in network:
        best = max(common_bits(machine, a) for a in addresses)
        nearest = [a for a in addresses if common_bits(machine, a) == best]
        for address in nearest:
            found[address] += Fraction(1, len(nearest) * network.num_addresses)
    return found


@st.composite
def networks_with_racks(draw: st.DrawFn) -> tuple[Network, list[Address]]:
    """A network of at most 64 addresses and up to 6 racks in it."""
    bits = draw(st.integers(0, 6))
    network = ip_network(draw(st.sampled_from([f"10.10.0.0/{32 - bits}", f"fd00:10::/{128 - bits}"])))
    numbers = st.integers(0, network.num_addresses - 1)
    return network, [network[n] for n in draw(st.lists(numbers, min_size=1, max_size=6, unique=True))]


@settings(deadline=None)  # a count takes as long as the machine is busy
@given(networks_with_racks())
def test_shares_are_those_of_a_count(case: tuple[Network, list[Address]]) -> None:
    assert address_shares(*case) == count_choices(*case)


@given(st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=50, unique=True))
def test_shares_of_a_large_network_add_up_to_1(numbers: list[int]) -> None:
    network = ip_network("fd00:10::/64")
    shares = address_shares(network, [network[n] for n in numbers])
    assert sum(shares.values()) == 1
    assert min(shares.values()) > 0


@pytest.mark.parametrize(
    ("cidr", "expected"),
    [
        pytest.param("10.10.0.0/24", {"10.10.0.2": "1/2", "10.10.0.3": "1/2"}, id="side by side"),
        pytest.param(
            "10.10.0.0/24", {"10.10.0.10": "1/4", "10.10.0.40": "1/4", "10.10.0.200": "1/2"}, id="most machines pinned"
        ),
        pytest.param("10.10.0.0/24", {"10.10.0.10": "1/2", "10.10.0.200": "1/2"}, id="pinned, and yet even"),
        pytest.param("10.10.0.5/32", {"10.10.0.5": "1"}, id="a network of one"),
        pytest.param(
            "fd00:10::/64",
            {"fd00:10::2": "1/4", "fd00:10::4000:0:0:2": "1/4", "fd00:10::8000:0:0:2": "1/2"},
            id="high bits of a /64",
        ),
        pytest.param("10.20.0.0/24", {"10.10.0.2": "1/2", "192.0.2.1": "1/2"}, id="IPv4 racks elsewhere are alike"),
        pytest.param(
            "fd00:20::/64",
            {"fd00:10::2": "0", "fd00:28::1": "1/2", "fd00:28::2": "1/2"},
            id="IPv6 racks elsewhere: only the nearest",
        ),
        pytest.param("10.10.0.0/24", {"10.10.0.2": "1", "10.10.1.2": "0"}, id="a rack inside beats one outside"),
        pytest.param("10.10.0.0/24", {}, id="no rack"),
    ],
)
def test_examples(cidr: str, expected: dict[str, str]) -> None:
    assert shares_of(cidr, *expected) == expected


def test_rack_has_the_shares_of_all_its_addresses_that_are_in_use() -> None:
    network = ip_network("10.10.0.0/24")
    racks = [
        gen.view("a", "10.10.0.10", "10.10.0.40"),
        gen.view("b", "10.10.0.200"),
        gen.view("dead", "10.10.0.201", tier=U),
    ]
    answer = answer_subnets([gen.subnet("10.10.0.0/24")], racks)[network]
    assert rack_shares(network, answer) == {"a": Fraction(1, 2), "b": Fraction(1, 2)}


def test_address_of_two_racks_counts_once() -> None:
    network = ip_network("10.10.0.0/24")
    racks = [gen.view("a", "10.10.0.2"), gen.view("b", "10.10.0.2", "10.10.0.3")]
    answer = answer_subnets([gen.subnet("10.10.0.0/24")], racks)[network]
    assert rack_shares(network, answer) == {"a": Fraction(1, 2), "b": Fraction(1, 2)}


@pytest.mark.parametrize(
    "addresses",
    [
        pytest.param(("10.10.0.2", "10.10.0.3"), id="two"),
        pytest.param(("10.10.0.10", "10.10.0.40", "10.10.0.200"), id="exactly 1.5 times"),
    ],
)
def test_racks_that_share_well_enough_get_no_hint(addresses: tuple[str, ...]) -> None:
    assert hint_of("10.10.0.0/24", *(gen.view(f"rack{i}", a) for i, a in enumerate(addresses))) == ""


def test_hint_names_the_rack_and_a_block_that_would_do() -> None:
    racks = [gen.view(f"rack{i}", f"10.10.0.{i}") for i in (10, 20, 40, 200)]
    assert hint_of("10.10.0.0/24", *racks) == (
        "rack200 gets 50% of the machines, fair is 25%, because machines choose the address most like their own; "
        "put the racks' addresses side by side "
        "in one small aligned block, such as 10.10.0.4 to 10.10.0.7 if they are free"
    )


def test_hint_of_a_small_network_names_no_block() -> None:
    hint = hint_of("10.10.0.0/29", *(gen.view(f"rack{i}", f"10.10.0.{i}") for i in (1, 2, 3, 4)))
    assert hint.startswith("rack4 gets 50% of the machines, fair is 25%")
    assert "such as" not in hint


def test_hint_for_a_rack_with_many_addresses_asks_for_as_many_everywhere() -> None:
    hint = hint_of("10.10.0.0/24", gen.view("a", *(f"10.10.0.{i}" for i in range(8, 15))), gen.view("b", "10.10.0.15"))
    assert hint.startswith("a gets 88% of the machines, fair is 50%, because it has more addresses than others; ")
    assert "spec.addresses" in hint


@given(st.integers(0, 12), st.integers(2, 40))
def test_suggested_block_is_fair_and_free_of_the_gateway_and_of_broadcasts(bits: int, count: int) -> None:
    network = ip_network(f"10.10.0.0/{32 - bits}")
    block = aligned_block(network, count)
    if block:
        assert len(block) == count
        assert int(network[1]) < int(block[0])
        assert int(block[-1]) < int(network.broadcast_address)
        assert times_fair(address_shares(network, block).values()) <= Fraction(3, 2)


@pytest.mark.parametrize(("cidr", "count"), [("10.10.0.0/24", 10), ("10.10.0.0/16", 250), ("fd00:10::/64", 1000)])
def test_usual_networks_have_such_a_block_and_it_is_nearly_fair(cidr: str, count: int) -> None:
    network = ip_network(cidr)
    shares = address_shares(network, aligned_block(network, count))
    assert times_fair(shares.values()) < Fraction(11, 10)
