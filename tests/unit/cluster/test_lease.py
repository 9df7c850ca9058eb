"""Who may write, at which time, whatever becomes of requests. Time is an argument, the API server a dictionary."""

import asyncio
import re

import pytest

from rackrelay.cluster.lease import Lease
from rackrelay.errors import ClusterError, NotLeading
from tests.fakes.lease_server import FakeClock, FakeLeaseServer


async def test_first_one_makes_it_and_leads(a: Lease, server: FakeLeaseServer) -> None:
    assert not a.leads
    await a.attempt()
    assert a.leads
    spec = server.spec()
    assert (spec["holderIdentity"], spec["leaseDurationSeconds"], spec["leaseTransitions"]) == ("a", 3, 0)
    for field in ("acquireTime", "renewTime"):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", spec[field])


async def test_second_one_waits_while_the_first_renews(a: Lease, b: Lease, clock: FakeClock) -> None:
    for _ in range(10):
        await a.attempt()
        await b.attempt()
        assert (a.leads, b.leads) == (True, False)
        clock.now += 1.0


async def test_holder_that_falls_silent_is_replaced_after_the_duration_and_never_earlier(
    a: Lease, b: Lease, clock: FakeClock, server: FakeLeaseServer
) -> None:
    await a.attempt()
    await b.attempt()
    clock.now += 2.9
    await b.attempt()
    assert not b.leads
    clock.now += 0.1
    await b.attempt()
    assert b.leads
    assert (server.spec()["holderIdentity"], server.spec()["leaseTransitions"]) == ("b", 1)


async def test_the_holder_has_stopped_a_second_before_anybody_may_follow(a: Lease, clock: FakeClock) -> None:
    await a.attempt()
    clock.now += 1.9
    assert a.fence() == pytest.approx(1.1)
    clock.now += 0.1
    with pytest.raises(NotLeading):
        a.fence()


async def test_follower_counts_from_when_it_saw_a_change_and_trusts_no_wall_clock(
    a: Lease, b: Lease, clock: FakeClock, server: FakeLeaseServer
) -> None:
    """The holder's clock is ten years behind, and the follower starts long after the last renewal."""
    await a.attempt()
    server.edit(renewTime="2016-01-01T00:00:00.000000Z", acquireTime="2016-01-01T00:00:00.000000Z")
    clock.now += 100
    await b.attempt()
    assert not b.leads
    clock.now += 2.9
    await b.attempt()
    assert not b.leads
    clock.now += 0.2
    await b.attempt()
    assert b.leads


async def test_holders_own_promise_counts(a: Lease, b: Lease, clock: FakeClock, server: FakeLeaseServer) -> None:
    """Another release may hold it for longer."""
    await a.attempt()
    server.edit(leaseDurationSeconds=15)
    await b.attempt()
    clock.now += 14
    await b.attempt()
    assert not b.leads


async def test_lead_counts_from_when_the_renewal_was_sent(a: Lease, clock: FakeClock, server: FakeLeaseServer) -> None:
    await a.attempt()
    server.hang.clear()
    renewal = asyncio.create_task(a.attempt())
    await asyncio.sleep(0)
    clock.now += 1.5
    server.hang.set()
    await renewal
    clock.now += 0.6
    assert not a.leads


async def test_one_of_two_that_take_it_at_once(a: Lease, b: Lease, clock: FakeClock, server: FakeLeaseServer) -> None:
    old = Lease(server, "rackrelay", "rackrelay", "old", clock=clock)
    await old.attempt()
    await asyncio.gather(a.attempt(), b.attempt())
    clock.now += 3
    await asyncio.gather(a.attempt(), b.attempt())
    assert [a.leads, b.leads].count(True) == 1
    assert not old.leads


async def test_own_renewal_whose_answer_was_lost_is_no_reason_to_step_down(
    a: Lease, clock: FakeClock, server: FakeLeaseServer
) -> None:
    await a.attempt()
    clock.now += 1.0
    server.lose_answers = 1
    with pytest.raises(ClusterError):
        await a.attempt()
    clock.now += 0.5
    await a.attempt()
    assert a.fence() == pytest.approx(3.0)


async def test_conflict_with_our_own_write_is_settled_at_once(
    a: Lease, clock: FakeClock, server: FakeLeaseServer
) -> None:
    """What we sent before an outage was stored after we had read the Lease again."""
    await a.attempt()
    server.edit(renewTime="2026-01-01T00:00:00.000000Z")
    clock.now += 1.0
    await a.attempt()
    assert a.fence() == pytest.approx(3.0)


async def test_leader_that_slept_finds_another_and_leaves_it_alone(
    a: Lease, b: Lease, clock: FakeClock, server: FakeLeaseServer
) -> None:
    await a.attempt()
    await b.attempt()
    clock.now += 60
    await b.attempt()
    assert (a.leads, b.leads) == (False, True)
    before = server.writes
    await a.attempt()
    assert not a.leads
    assert (server.writes, server.spec()["holderIdentity"]) == (before, "b")
    with pytest.raises(NotLeading, match="b leads"):
        a.fence()


async def test_leader_that_lost_touch_and_was_not_replaced_leads_again(
    a: Lease, clock: FakeClock, server: FakeLeaseServer
) -> None:
    await a.attempt()
    acquired = server.spec()["acquireTime"]
    clock.now += 60
    assert not a.leads
    await a.attempt()
    assert a.leads
    assert (server.spec()["acquireTime"], server.spec()["leaseTransitions"]) == (acquired, 0)


async def test_outage_makes_nobody_leader(a: Lease, b: Lease, clock: FakeClock, server: FakeLeaseServer) -> None:
    await a.attempt()
    await b.attempt()
    server.fail = True
    for _ in range(10):
        clock.now += 1
        for lease in (a, b):
            with pytest.raises(ClusterError):
                await lease.attempt()
    assert (a.leads, b.leads) == (False, False)
    server.fail = False
    await asyncio.gather(a.attempt(), b.attempt())
    assert [a.leads, b.leads].count(True) == 1


async def test_lease_that_somebody_deleted_is_made_again(a: Lease, clock: FakeClock, server: FakeLeaseServer) -> None:
    await a.attempt()
    server.lease = None
    clock.now += 1
    with pytest.raises(ClusterError):
        await a.attempt()
    await a.attempt()
    assert a.fence() == pytest.approx(3.0)


async def test_what_others_keep_in_the_lease_stays(a: Lease, server: FakeLeaseServer) -> None:
    server.lease = {"metadata": {"resourceVersion": "0", "labels": {"team": "infra"}}, "spec": {}}
    await a.attempt()
    assert a.leads
    assert server.lease is not None
    assert server.lease["metadata"]["labels"] == {"team": "infra"}
