"""Single addresses of a rack that machines cannot reach, though the rack is well."""

from ipaddress import ip_address

from rackrelay.addresses import Address
from rackrelay.zone.damping import FIRST_HOLD_S, WINDOW_S, DampingState
from rackrelay.zone.decision import answer_subnets
from rackrelay.zone.evidence import Judgement, Tier
from rackrelay.zone.links import NO_CARRIER, NOT_HEARD_BY_PEERS, damp_faults, find_faults, record_links, settles_at
from rackrelay.zone.rule import Answer, Faults
from tests import gen

A, B, C = (ip_address(f"10.10.0.{n}") for n in (2, 3, 4))


def answer(faults: Faults, **racks: tuple[Tier, list[Address]]) -> Answer:
    subnet = gen.subnet("10.10.0.0/24")
    views = [gen.view(name, *map(str, addresses), tier=tier) for name, (tier, addresses) in racks.items()]
    return answer_subnets([subnet], views, faults)[subnet.cidr]


H, U = Tier.HEALTHY, Tier.UNREACHABLE


def test_no_carrier_is_worse_than_deaf_peers() -> None:
    assert find_faults([A], [A, B]) == {A: NO_CARRIER, B: NOT_HEARD_BY_PEERS}


def test_unplugged_rack_is_withdrawn_while_another_is_there() -> None:
    found = answer({A: NO_CARRIER}, a=(H, [A]), b=(H, [B]))
    assert found.addresses == (B,)
    assert [m.judgement.reason for m in found.members] == ["NoCarrier", ""]


def test_last_rack_stays_without_a_carrier_and_is_told() -> None:
    found = answer({A: NO_CARRIER}, a=(H, [A]))
    assert found.addresses == (A,)
    assert found.fail_open


def test_carrier_says_nothing_for_a_rack_that_is_dead_as_a_whole() -> None:
    found = answer({A: NOT_HEARD_BY_PEERS}, a=(U, [A]), b=(U, [B]))
    assert (found.addresses, found.tier) == ((A, B), U)


def test_address_with_a_fault_gives_way_to_the_racks_other_one() -> None:
    found = answer({A: NOT_HEARD_BY_PEERS}, a=(H, [A, C]), b=(H, [B]))
    assert found.addresses == (B, C)
    assert [m.addresses for m in found.members] == [(C,), (B,)]


def test_of_two_addresses_with_faults_the_better_one_is_kept() -> None:
    assert answer({A: NO_CARRIER, C: NOT_HEARD_BY_PEERS}, a=(H, [A, C])).addresses == (C,)


def live(history: list[tuple[float, Faults]]) -> dict[Address, DampingState]:
    pasts: dict[Address, DampingState] = {}
    for now, faults in history:
        pasts = record_links(pasts, faults, now)
    return pasts


def reasons(pasts: dict[Address, DampingState], faults: Faults, now: float) -> dict[Address, str]:
    found: dict[Address, Judgement] = damp_faults(pasts, faults, now)
    return {address: judgement.reason for address, judgement in found.items()}


def test_fault_counts_at_once_and_its_end_after_the_hold() -> None:
    pasts = live([(10, {A: NO_CARRIER})])
    assert reasons(pasts, {A: NO_CARRIER}, 10) == {A: "NoCarrier"}
    pasts = record_links(pasts, {}, 11)
    assert reasons(pasts, {}, 11) == {A: "Recovering"}
    assert settles_at(pasts, 11) == 11 + FIRST_HOLD_S
    assert reasons(pasts, {}, 11 + FIRST_HOLD_S) == {}
    assert settles_at(pasts, 11 + FIRST_HOLD_S) is None


def test_cable_that_flaps_is_out_for_longer_each_time() -> None:
    pasts = live([(0, {A: NO_CARRIER}), (1, {}), (2, {A: NO_CARRIER}), (3, {})])
    assert reasons(pasts, {}, 3 + FIRST_HOLD_S) == {A: "Recovering"}
    assert settles_at(pasts, 3) == 3 + 2 * FIRST_HOLD_S


def test_past_without_a_fault_is_forgotten() -> None:
    assert live([(0, {A: NO_CARRIER}), (1, {}), (1 + WINDOW_S, {})]) == {}
