"""Whatever racks and regions do in whatever order: what must hold of the zone after each step."""

from ipaddress import ip_network
from typing import Any, cast

from hypothesis import settings
from hypothesis.stateful import invariant, rule

from rackrelay.controllers.publish.zone import choose_version
from rackrelay.zone.decision import decide
from rackrelay.zone.evidence import Tier
from rackrelay.zone.plan import Zone
from rackrelay.zone.rule import Answer, Rrsets
from tests import gen
from tests.unit.controllers.publish.history import CIDRS, RACKS, History, holders


class Histories(History):
    """`kept` is the version that the operator published last, None after its ConfigMap was lost."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: Zone | None = None

    @rule()
    def lose_the_config_map(self) -> None:
        self.kept = None

    @invariant()
    def every_answer_is_right(self) -> None:
        decision = self.decide_names()
        answers = decision.answers
        # What was decided before makes it quicker and never another.
        anew = decide(decision.subnets, decision.racks, decision.faults)
        assert (answers, decision.rrsets) == (anew.answers, anew.rrsets)
        nested = [n for n in map(ip_network, CIDRS) if n.prefixlen > 24]
        for network, answer in answers.items():
            inside = [n for n in nested if n != network and n.subnet_of(cast(Any, network))]
            there = {a for own in self.has.values() for a in own if a in network and not any(a in n for n in inside)}
            # Never empty while a rack has an address there, and nothing else is ever given out.
            assert bool(answer.addresses) == bool(there)
            assert set(answer.addresses) <= there
            self.check_tiers(answer)
        self.publish(decision.rrsets)

    def check_tiers(self, answer: Answer) -> None:
        tiers = [m.judgement.tier for m in answer.members]
        given_out = {m.judgement.tier for m in answer.members if set(m.addresses) & set(answer.addresses)}
        healthy, in_use = tiers.count(Tier.HEALTHY), [t for t in tiers if t <= Tier.DEGRADED]
        expected = set(in_use) if in_use and 2 * healthy < len(in_use) else ({min(tiers)} if tiers else set())
        assert given_out == expected

    def publish(self, rrsets: Rrsets) -> None:
        """Serials only grow, whatever was lost, and one serial means one content."""
        version = choose_version(self.region, rrsets, self.kept, [self.served])
        assert version.serial >= self.served
        if self.kept is not None and version.serial == self.kept.serial:
            assert version == self.kept
        else:
            assert version.serial > self.served
        assert choose_version(self.region, rrsets, version, [version.serial]) == version
        self.kept, self.served = version, version.serial


TestHistories = Histories.TestCase
TestHistories.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


def test_site_of_the_histories_is_whole() -> None:
    """Otherwise the histories above would prove nothing: all racks well and there, each name has its racks."""
    machine = Histories()
    for rack in RACKS:
        machine.answer(rack, old=False)
        machine.report(rack, [("10.10.0.9/24", True)] if rack == "rack3" else [("10.10.0.2/24", True)], {})
    answers = machine.decide_names().answers
    assert [str(a) for a in answers[ip_network("10.10.0.0/29")].addresses] == ["10.10.0.2", "10.10.0.3"]
    assert [str(a) for a in answers[ip_network("10.10.0.0/24")].addresses] == ["10.10.0.9"]
    machine.report("rack3", [], {})
    assert machine.decide_names().answers[ip_network("10.10.0.0/24")].addresses == ()


def test_operator_that_starts_anew_keeps_the_holder_that_statuses_tell() -> None:
    """Who had an address first is nowhere but in what the name answered with: the Subnets' statuses."""
    past = Histories()
    for rack in ("rack2", "rack1"):
        # By their names the order would be the other one.
        past.answer(rack, old=False)
        past.report(rack, [("10.10.0.9/24", True)], {})
    network = ip_network("10.10.0.0/24")
    (dispute,) = past.decide_names().answers[network].disputes
    assert (str(dispute.address), dispute.holder, dispute.others) == ("10.10.0.9", "rack2", ("rack1",))
    told = [(m.name, m.addresses) for m in past.decide_names().answers[network].members]
    anew = Histories()
    for site in anew.sites:
        for name, addresses in told:
            site.health.remember(gen.NAMESPACE, name, addresses)
    for rack in ("rack1", "rack2"):
        anew.answer(rack, old=False)
        anew.report(rack, [("10.10.0.9/24", True)], {})
    assert holders(anew.decide_names()) == {dispute.address: "rack2"}


def test_disputed_address_stays_with_its_holder_when_another_operator_takes_over() -> None:
    past = Histories()
    for rack in ("rack2", "rack1"):
        past.answer(rack, old=False)
        past.report(rack, [("10.10.0.9/24", True)], {})
        past.wait(10.0)
    assert set(holders(past.decide_names()).values()) == {"rack2"}
    past.take_over()
    assert set(holders(past.decide_names()).values()) == {"rack2"}
