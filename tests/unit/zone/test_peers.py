"""Whom the other racks of a subnet cannot hear."""

from ipaddress import ip_address, ip_network

from rackrelay.protocol.status_document import PeerObservation
from rackrelay.zone.decision import answer_subnets
from rackrelay.zone.evidence import Judgement, Tier
from rackrelay.zone.links import NOT_HEARD_BY_PEERS
from rackrelay.zone.peers import cut_off_addresses
from rackrelay.zone.rule import RackView
from tests import gen

NET = ip_network("10.10.0.0/24")
A, B, C = (ip_address(f"10.10.0.{n}") for n in (2, 3, 4))


def sees(**heard: bool) -> tuple[PeerObservation, ...]:
    addresses = {"a": A, "b": B, "c": C}
    return tuple(PeerObservation(NET, addresses[name], ok) for name, ok in heard.items())


def cut_off(observations: dict[str, tuple[PeerObservation, ...]]) -> frozenset[object]:
    return cut_off_addresses(observations, {"a": (A,), "b": (B,), "c": (C,)})


def test_rack_that_two_others_do_not_hear() -> None:
    observations = {"a": sees(b=True, c=False), "b": sees(a=True, c=False), "c": sees(a=False, b=False)}
    assert cut_off(observations) == {C}


def test_two_racks_cannot_tell_which_of_them_is_cut_off() -> None:
    assert cut_off({"a": sees(b=False), "b": sees(a=False)}) == frozenset()


def test_one_witness_is_not_enough() -> None:
    assert cut_off({"a": sees(b=True, c=False), "b": sees(a=True, c=True)}) == frozenset()


def test_switch_that_is_down_for_all_blames_nobody() -> None:
    observations = {"a": sees(b=False, c=False), "b": sees(a=False, c=False), "c": sees(a=False, b=False)}
    assert cut_off(observations) == frozenset()


def test_rack_that_nobody_asks_any_more_and_that_hears_nobody() -> None:
    assert cut_off({"a": sees(b=True), "b": sees(a=True), "c": sees(a=False, b=False)}) == {C}


def test_unheard_rack_is_degraded_on_that_subnet_alone() -> None:
    other = ip_address("10.20.0.4")
    racks = [
        RackView("a", (A,), Judgement(Tier.HEALTHY)),
        RackView("b", (B,), Judgement(Tier.HEALTHY)),
        RackView("c", (C, other), Judgement(Tier.HEALTHY)),
    ]
    subnets = [gen.subnet("10.10.0.0/24"), gen.subnet("10.20.0.0/24")]
    answers = answer_subnets(subnets, racks, {C: NOT_HEARD_BY_PEERS})
    assert answers[NET].addresses == (A, B)
    assert answers[NET].members[-1].judgement.reason == "NotHeardByPeers"
    assert answers[ip_network("10.20.0.0/24")].addresses == (other,)
