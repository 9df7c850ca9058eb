"""What was decided before makes a decision quicker, and never another."""

from dataclasses import replace
from ipaddress import ip_address, ip_network

from hypothesis import given
from hypothesis import strategies as st

from rackrelay.model.subnet import Subnet
from rackrelay.zone.decision import decide
from rackrelay.zone.evidence import Judgement, Tier
from rackrelay.zone.links import NO_CARRIER, NOT_HEARD_BY_PEERS
from rackrelay.zone.rule import Faults, RackView
from tests import gen

SUBNETS = (
    gen.subnet("10.0.0.0/8"),
    gen.subnet("10.10.0.0/24", "prov"),
    gen.subnet("10.20.0.0/24", managed=False),
    gen.subnet("10.30.0.0/24", served_by="prov"),
    gen.subnet("10.40.0.0/24", served_by="nobody"),
    gen.subnet("fd00:10::/64"),
)
ADDRESSES = ("10.1.0.2", "10.10.0.2", "10.10.0.3", "10.20.0.2", "10.30.0.2", "fd00:10::2", "fd00:10::3", "192.0.2.2")
CABLE = (ip_address("10.10.0.2"), ip_address("fd00:10::2"))

views = st.builds(
    lambda name, texts, tier, order, joined: replace(
        gen.view(name, *texts, tier=tier),
        claims={ip_address(text): order for text in texts},
        cables=(CABLE,) if joined else (),
    ),
    # Two racks of one name are a node that two RackControllers select.
    st.sampled_from(["a", "b", "c"]),
    st.lists(st.sampled_from(ADDRESSES), unique=True, max_size=4),
    st.sampled_from(Tier),
    st.integers(0, 2),
    st.booleans(),
)
fault_maps = st.dictionaries(
    st.sampled_from([ip_address(text) for text in ADDRESSES]),
    st.sampled_from([NO_CARRIER, NOT_HEARD_BY_PEERS]),
    max_size=3,
)


@given(
    racks=st.lists(views, max_size=4),
    turns=st.lists(st.tuples(st.integers(0, 3), views, st.booleans(), fault_maps), max_size=6),
    subnets=st.lists(st.lists(st.sampled_from(SUBNETS), unique=True), min_size=1, max_size=2),
)
def test_decisions_do_not_depend_on_those_before(
    racks: list[RackView], turns: list[tuple[int, RackView, bool, Faults]], subnets: list[list[Subnet]]
) -> None:
    decision = decide(subnets[0], racks)
    for place, view, whole, faults in turns:
        # Of most turns only tiers and claims are news, of some everything.
        racks = [
            r if i != place else view if whole else replace(r, judgement=view.judgement, claims=view.claims)
            for i, r in enumerate(racks)
        ]
        wanted = subnets[place % len(subnets)] if whole else decision.subnets
        decision = decide(wanted, racks, faults, decision)
        assert decision == decide(wanted, racks, faults)


def test_only_the_subnets_of_what_changed_are_answered_anew() -> None:
    racks = [gen.view("a", "10.1.0.2"), gen.view("b", "10.10.0.2"), gen.view("c", "10.10.0.3")]
    before = decide(SUBNETS, racks)
    after = decide(SUBNETS, [racks[0], replace(racks[1], judgement=Judgement(Tier.UNREACHABLE)), racks[2]], {}, before)
    anew = {str(network) for network, answer in after.answers.items() if answer is not before.answers[network]}
    assert anew == {"10.10.0.0/24", "10.30.0.0/24"}
    assert after.rrsets[("10-10-0-0--24", "A")] == ("10.10.0.3",)
    assert after.layout is before.layout


def test_fault_of_an_address_has_its_subnet_answered_anew() -> None:
    racks = [gen.view("a", "10.10.0.2", "10.1.0.2"), gen.view("b", "10.10.0.3")]
    before = decide(SUBNETS, racks)
    after = decide(SUBNETS, racks, {ip_address("10.10.0.2"): NO_CARRIER}, before)
    assert [str(a) for a in after.answers[ip_network("10.10.0.0/24")].addresses] == ["10.10.0.3"]
    assert decide(SUBNETS, racks, {}, after) == before
