"""How the Lease is waited for, kept and given back. Time is an argument, the API server a dictionary."""

import asyncio

import pytest

from rackrelay.cluster.lease import Alone, Lease, Timing, own_identity
from rackrelay.errors import ClusterError, StoreSetBack
from tests.fakes.lease_server import FakeClock, FakeLeaseServer

FAST = Timing(duration_s=3, deadline_s=1.0, renew_s=0.05, poll_s=0.02, retry_s=0.01, request_s=0.05)


async def test_released_lease_is_taken_at_once(a: Lease, b: Lease, server: FakeLeaseServer) -> None:
    await a.attempt()
    await b.attempt()
    await a.release()
    assert not a.leads
    assert (server.spec()["holderIdentity"], server.spec()["leaseDurationSeconds"]) == ("", 1)
    await b.attempt()
    assert b.leads
    assert (server.spec()["leaseDurationSeconds"], server.spec()["leaseTransitions"]) == (3, 1)


async def test_release_after_a_renewal_that_was_cut_off(a: Lease, clock: FakeClock, server: FakeLeaseServer) -> None:
    await a.attempt()
    server.lose_answers = 1
    with pytest.raises(ClusterError):
        await a.attempt()
    await a.release()
    assert server.spec()["holderIdentity"] == ""


async def test_nothing_is_released_that_another_holds(
    a: Lease, b: Lease, clock: FakeClock, server: FakeLeaseServer
) -> None:
    await a.attempt()
    await b.attempt()
    clock.now += 3
    await b.attempt()
    await a.release()
    assert server.spec()["holderIdentity"] == "b"


async def test_release_without_an_api_server_ends_soon_and_stops_writes(a: Lease, server: FakeLeaseServer) -> None:
    await a.attempt()
    server.hang.clear()
    async with asyncio.timeout(5):
        await a.release()
    assert not a.leads


async def test_keep_renews_until_the_api_server_is_silent(server: FakeLeaseServer) -> None:
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
    a: Lease, clock: FakeClock, server: FakeLeaseServer
) -> None:
    a.timing = FAST
    await a.attempt()
    keeping = asyncio.create_task(a.keep())
    await asyncio.sleep(0)
    clock.now += 60
    async with asyncio.timeout(5):
        await keeping
    assert (server.reads, server.writes) == (1, 1)


async def test_acquire_waits_for_its_turn(server: FakeLeaseServer) -> None:
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
    a: Lease, server: FakeLeaseServer, caplog: pytest.LogCaptureFixture, clock: FakeClock
) -> None:
    server.fail = True
    for _ in range(5):
        await a._try(1.0)
    assert [r.message for r in caplog.records] == ["the Lease cannot be had: the API server does not answer"]


async def test_store_that_was_set_back_is_told_by_leader_and_follower_once(
    a: Lease, b: Lease, server: FakeLeaseServer, clock: FakeClock
) -> None:
    """What either has read may never have been written, and its watches wait for versions that are long to come."""
    await a.attempt()
    backup, writes = server.lease, server.writes
    for _ in range(3):
        clock.now += 1
        await a.attempt()
        await b.attempt()
    server.lease, server.writes = backup, writes
    for lease in (a, b):
        with pytest.raises(StoreSetBack, match="from version 4 to 1"):
            await lease.keep() if lease is a else await lease.acquire()
    await a.release()
    assert server.spec()["holderIdentity"] == ""


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
