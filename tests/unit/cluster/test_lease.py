"""Who may write, at which time, whatever becomes of requests. Time is an argument, the API server a dictionary."""

import asyncio
import copy
import re

import pytest

from rackrelay.cluster.client import Client, Kind, Manifest
from rackrelay.cluster.lease import Alone, Lease, Timing, own_identity
from rackrelay.errors import ClusterError, Conflict, NotLeading

FAST = Timing(duration_s=3, deadline_s=1.0, renew_s=0.05, poll_s=0.02, retry_s=0.01, request_s=0.05)


class Clock:
    """Stands until somebody sets it forward."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class LeaseServer(Client):
    """One Lease with its resourceVersion. `fail`: no answer. `lose_answers`: so many writes are done all the same."""

    def __init__(self) -> None:
        self.lease: Manifest | None = None
        self.fail = False
        self.lose_answers = 0
        self.reads, self.writes = 0, 0
        self.hang = asyncio.Event()
        self.hang.set()

    async def get(self, kind: Kind, namespace: str, name: str) -> Manifest | None:
        await self._answer()
        self.reads += 1
        return copy.deepcopy(self.lease)

    async def create(self, kind: Kind, manifest: Manifest) -> Manifest | None:
        await self._answer()
        return None if self.lease else self._store(manifest)

    async def replace(self, kind: Kind, manifest: Manifest) -> Manifest:
        await self._answer()
        if self.lease is None:
            raise ClusterError("not found", 404)
        if manifest["metadata"]["resourceVersion"] != self.lease["metadata"]["resourceVersion"]:
            raise Conflict("the object has been modified")
        return self._store(manifest)

    def spec(self) -> Manifest:
        assert self.lease is not None
        return dict(self.lease["spec"])

    def edit(self, **spec: object) -> None:
        """Somebody else writes it."""
        assert self.lease is not None
        self._store({**self.lease, "spec": {**self.lease["spec"], **spec}})

    def _store(self, manifest: Manifest) -> Manifest:
        self.writes += 1
        self.lease = copy.deepcopy(manifest)
        self.lease["metadata"]["resourceVersion"] = str(self.writes)
        if self.lose_answers:
            self.lose_answers -= 1
            raise ClusterError("connection reset by peer")
        return copy.deepcopy(self.lease)

    async def _answer(self) -> None:
        await self.hang.wait()
        if self.fail:
            raise ClusterError("the API server does not answer")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def server() -> LeaseServer:
    return LeaseServer()


@pytest.fixture
def a(server: LeaseServer, clock: Clock) -> Lease:
    return Lease(server, "rackrelay", "rackrelay", "a", clock=clock)


@pytest.fixture
def b(server: LeaseServer, clock: Clock) -> Lease:
    return Lease(server, "rackrelay", "rackrelay", "b", clock=clock)


async def test_first_one_makes_it_and_leads(a: Lease, server: LeaseServer) -> None:
    assert not a.leads
    await a.attempt()
    assert a.leads
    spec = server.spec()
    assert (spec["holderIdentity"], spec["leaseDurationSeconds"], spec["leaseTransitions"]) == ("a", 3, 0)
    for field in ("acquireTime", "renewTime"):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", spec[field])


async def test_second_one_waits_while_the_first_renews(a: Lease, b: Lease, clock: Clock) -> None:
    for _ in range(10):
        await a.attempt()
        await b.attempt()
        assert (a.leads, b.leads) == (True, False)
        clock.now += 1.0


async def test_holder_that_falls_silent_is_replaced_after_the_duration_and_never_earlier(
    a: Lease, b: Lease, clock: Clock, server: LeaseServer
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


async def test_the_holder_has_stopped_a_second_before_anybody_may_follow(a: Lease, clock: Clock) -> None:
    await a.attempt()
    clock.now += 1.9
    assert a.fence() == pytest.approx(1.1)
    clock.now += 0.1
    with pytest.raises(NotLeading):
        a.fence()


async def test_follower_counts_from_when_it_saw_a_change_and_trusts_no_wall_clock(
    a: Lease, b: Lease, clock: Clock, server: LeaseServer
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


async def test_holders_own_promise_counts(a: Lease, b: Lease, clock: Clock, server: LeaseServer) -> None:
    """Another release may hold it for longer."""
    await a.attempt()
    server.edit(leaseDurationSeconds=15)
    await b.attempt()
    clock.now += 14
    await b.attempt()
    assert not b.leads


async def test_lead_counts_from_when_the_renewal_was_sent(a: Lease, clock: Clock, server: LeaseServer) -> None:
    await a.attempt()
    server.hang.clear()
    renewal = asyncio.create_task(a.attempt())
    await asyncio.sleep(0)
    clock.now += 1.5
    server.hang.set()
    await renewal
    clock.now += 0.6
    assert not a.leads


async def test_one_of_two_that_take_it_at_once(a: Lease, b: Lease, clock: Clock, server: LeaseServer) -> None:
    old = Lease(server, "rackrelay", "rackrelay", "old", clock=clock)
    await old.attempt()
    await asyncio.gather(a.attempt(), b.attempt())
    clock.now += 3
    await asyncio.gather(a.attempt(), b.attempt())
    assert [a.leads, b.leads].count(True) == 1
    assert not old.leads


async def test_own_renewal_whose_answer_was_lost_is_no_reason_to_step_down(
    a: Lease, clock: Clock, server: LeaseServer
) -> None:
    await a.attempt()
    clock.now += 1.0
    server.lose_answers = 1
    with pytest.raises(ClusterError):
        await a.attempt()
    clock.now += 0.5
    await a.attempt()
    assert a.fence() == pytest.approx(3.0)


async def test_conflict_with_our_own_write_is_settled_at_once(a: Lease, clock: Clock, server: LeaseServer) -> None:
    """What we sent before an outage was stored after we had read the Lease again."""
    await a.attempt()
    server.edit(renewTime="2026-01-01T00:00:00.000000Z")
    clock.now += 1.0
    await a.attempt()
    assert a.fence() == pytest.approx(3.0)


async def test_leader_that_slept_finds_another_and_leaves_it_alone(
    a: Lease, b: Lease, clock: Clock, server: LeaseServer
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
    a: Lease, clock: Clock, server: LeaseServer
) -> None:
    await a.attempt()
    acquired = server.spec()["acquireTime"]
    clock.now += 60
    assert not a.leads
    await a.attempt()
    assert a.leads
    assert (server.spec()["acquireTime"], server.spec()["leaseTransitions"]) == (acquired, 0)


async def test_outage_makes_nobody_leader(a: Lease, b: Lease, clock: Clock, server: LeaseServer) -> None:
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


async def test_lease_that_somebody_deleted_is_made_again(a: Lease, clock: Clock, server: LeaseServer) -> None:
    await a.attempt()
    server.lease = None
    clock.now += 1
    with pytest.raises(ClusterError):
        await a.attempt()
    await a.attempt()
    assert a.fence() == pytest.approx(3.0)


async def test_what_others_keep_in_the_lease_stays(a: Lease, server: LeaseServer) -> None:
    server.lease = {"metadata": {"resourceVersion": "0", "labels": {"team": "infra"}}, "spec": {}}
    await a.attempt()
    assert a.leads
    assert server.lease is not None
    assert server.lease["metadata"]["labels"] == {"team": "infra"}


async def test_released_lease_is_taken_at_once(a: Lease, b: Lease, server: LeaseServer) -> None:
    await a.attempt()
    await b.attempt()
    await a.release()
    assert not a.leads
    assert (server.spec()["holderIdentity"], server.spec()["leaseDurationSeconds"]) == ("", 1)
    await b.attempt()
    assert b.leads
    assert (server.spec()["leaseDurationSeconds"], server.spec()["leaseTransitions"]) == (3, 1)


async def test_release_after_a_renewal_that_was_cut_off(a: Lease, clock: Clock, server: LeaseServer) -> None:
    await a.attempt()
    server.lose_answers = 1
    with pytest.raises(ClusterError):
        await a.attempt()
    await a.release()
    assert server.spec()["holderIdentity"] == ""


async def test_nothing_is_released_that_another_holds(a: Lease, b: Lease, clock: Clock, server: LeaseServer) -> None:
    await a.attempt()
    await b.attempt()
    clock.now += 3
    await b.attempt()
    await a.release()
    assert server.spec()["holderIdentity"] == "b"


async def test_release_without_an_api_server_ends_soon_and_stops_writes(a: Lease, server: LeaseServer) -> None:
    await a.attempt()
    server.hang.clear()
    async with asyncio.timeout(5):
        await a.release()
    assert not a.leads


async def test_keep_renews_until_the_api_server_is_silent(server: LeaseServer) -> None:
    lease = Lease(server, "rackrelay", "rackrelay", "a", FAST)
    await lease.acquire()
    keeping = asyncio.create_task(lease.keep())
    await asyncio.sleep(1)
    assert not keeping.done()
    assert server.writes > 4
    server.hang.clear()
    async with asyncio.timeout(5):
        await keeping
    assert not lease.leads


async def test_keep_ends_without_a_word_to_the_api_server_when_the_process_was_stopped(
    a: Lease, clock: Clock, server: LeaseServer
) -> None:
    a.timing = FAST
    await a.attempt()
    keeping = asyncio.create_task(a.keep())
    await asyncio.sleep(0)
    clock.now += 60
    async with asyncio.timeout(5):
        await keeping
    assert (server.reads, server.writes) == (1, 1)


async def test_acquire_waits_for_its_turn(server: LeaseServer) -> None:
    a, b = (Lease(server, "rackrelay", "rackrelay", name, FAST) for name in "ab")
    await a.acquire()
    waiting = asyncio.create_task(b.acquire())
    await asyncio.sleep(0.1)
    assert not waiting.done()
    await a.release()
    async with asyncio.timeout(5):
        await waiting
    assert b.leads


async def test_outage_is_told_once(
    a: Lease, server: LeaseServer, caplog: pytest.LogCaptureFixture, clock: Clock
) -> None:
    server.fail = True
    for _ in range(5):
        await a._try(1.0)
    assert [r.message for r in caplog.records] == ["the Lease cannot be had: the API server does not answer"]


def test_identities_differ_between_starts_of_one_pod() -> None:
    one, other = own_identity(), own_identity()
    assert one != other
    assert one.rpartition("_")[0] == other.rpartition("_")[0] != ""


async def test_operator_that_is_alone_always_leads() -> None:
    alone = Alone()
    await alone.acquire()
    assert alone.fence() > 1e9
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await alone.keep()
    await alone.release()
