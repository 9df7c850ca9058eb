"""The fakes lose what they are told to lose and count what leaves the zone."""

from dataclasses import replace

import pytest

from rackrelay.nameservers.update import sign_update
from rackrelay.zone.plan import plan_change
from tests import gen
from tests.bench.scale.fake_racks import Counts, FakeNameServers, Losses

BOTH = gen.zone(1, racks=("10.10.0.2", "10.10.0.3"))


def test_nothing_is_lost_before_it_begins_and_then_the_same_each_time() -> None:
    counts = Counts()
    losses = Losses(0.01, counts)
    assert not any(losses.is_lost() for _ in range(1000))
    losses.begun = True
    lost = [losses.is_lost() for _ in range(10_000)]
    assert sum(lost) == counts.lost == pytest.approx(100, abs=40)
    again = Losses(0.01, Counts())
    again.begun = True
    assert [again.is_lost() for _ in range(10_000)] == lost


def test_each_address_that_leaves_the_zone_is_counted_once_however_many_are_told() -> None:
    servers = FakeNameServers(BOTH, gen.KEY, Counts(), lambda serial: None)
    one = replace(BOTH, serial=2, rrsets={("racks", "A"): ("10.10.0.3",)})
    for old, new in ((BOTH, one), (one, replace(BOTH, serial=3)), (replace(BOTH, serial=3), replace(one, serial=4))):
        wire = sign_update(plan_change(old, new), gen.KEY).wire
        for _ in range(3):
            assert servers.replies(wire)
    assert servers.counts.withdrawn == 2
