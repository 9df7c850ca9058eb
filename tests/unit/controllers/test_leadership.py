"""When workers run, what they find to do, and in which order an operator lets go."""

import asyncio
from collections.abc import Callable

import pytest

from rackrelay.cluster.client import RACK, REGION, SECRET
from rackrelay.controllers import leadership, work
from rackrelay.controllers.leadership import lead_forever, learn_keys_forever
from rackrelay.controllers.queue import Queue
from rackrelay.controllers.state.region_state import ExternalState, RegionKeys, ZoneState
from rackrelay.controllers.work import Key, Lane
from rackrelay.manifests.secrets import build_agent_secret, build_keys_secret
from tests import gen
from tests.unit.controllers.site import Site

REGION_KEY = (gen.NAMESPACE, "demo")


class Election:
    """Won and lost by the test's word; notes what happens to it."""

    identity = "a"

    def __init__(self) -> None:
        self.won, self.lost = asyncio.Event(), asyncio.Event()
        self.history: list[str] = []

    def fence(self) -> float:
        return 1.0

    async def acquire(self) -> None:
        await self.won.wait()
        self.won.clear()
        self.history.append("acquired")

    async def keep(self) -> None:
        await self.lost.wait()
        self.lost.clear()
        self.history.append("lost")

    async def release(self) -> None:
        self.history.append("released")


@pytest.fixture
async def election() -> Election:
    return Election()


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not holds():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.005)


def watch(site: Site) -> list[str]:
    """What is reconciled from now on, in order."""
    seen: list[str] = []

    async def note(key: Key) -> None:
        seen.append(f"{key.work.name} {key.name}")

    site.queue = Queue(note)
    site.put(REGION, gen.body("RegionController", "demo"))
    site.put(RACK, gen.body("RackController", "demo"))
    return seen


async def cancel(task: "asyncio.Task[None]") -> None:
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_follower_reconciles_nothing_and_the_leader_everything(site: Site, election: Election) -> None:
    seen = watch(site)
    site.queue.add(Key(work.ZONE, *REGION_KEY))
    task = asyncio.create_task(lead_forever(site, election))
    await asyncio.sleep(0.05)
    assert seen == []
    election.won.set()
    await until(lambda: sorted(seen) == ["rack demo", "region demo", "zone demo"])
    await cancel(task)


async def test_leader_looks_after_servers_of_others_and_a_dead_one_holds_up_nothing_else(
    site: Site, election: Election
) -> None:
    waiting: list[str] = []

    async def wait_for_external(key: Key) -> None:
        if key.work != work.EXTERNAL:
            seen.append(f"{key.work.name} {key.name}")
            return
        waiting.append(key.server)
        await asyncio.Event().wait()

    seen = watch(site)
    site.queue = Queue(wait_for_external)
    for number in range(leadership.WORKERS + 1):
        site.queue.add(Key(work.EXTERNAL, *REGION_KEY, f"192.0.2.{number}"))
    await asyncio.sleep(0.05)
    assert waiting == []
    task = asyncio.create_task(lead_forever(site, election))
    election.won.set()
    await until(lambda: len(waiting) == leadership.WORKERS + 1 and len(seen) == 3)
    site.regions[REGION_KEY].external["192.0.2.1"] = ExternalState()
    election.lost.set()
    await until(lambda: election.history == ["acquired", "lost"] and not site.regions[REGION_KEY].external)
    await cancel(task)


async def test_who_led_before_forgets_what_it_published_and_begins_anew(site: Site, election: Election) -> None:
    seen = watch(site)
    task = asyncio.create_task(lead_forever(site, election))
    election.won.set()
    await until(lambda: len(seen) == 3)
    site.regions[REGION_KEY].zone = ZoneState(gen.zone(7), {}, {})
    server = gen.server()
    site.health.track({server: gen.region()})
    site.health.answered(server, 6, site.now())
    assert site.health.note_lag([server], 7, site.now())
    site.regions[REGION_KEY].keys = RegionKeys(gen.KEY, b"of a Secret that was replaced")
    election.lost.set()
    await until(lambda: election.history == ["acquired", "lost"] and site.regions[REGION_KEY].zone is None)
    assert site.sighting(server.name).behind_since is None
    site.queue.add(Key(work.ZONE, *REGION_KEY))
    await asyncio.sleep(0.05)
    assert len(seen) == 3
    election.won.set()
    await until(lambda: len(seen) == 6)
    assert site.regions[REGION_KEY].keys is None
    await cancel(task)


async def test_lease_is_released_after_the_last_worker_has_stopped(site: Site, election: Election) -> None:
    async def work_slowly(key: Key) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.02)
            election.history.append("stopped")

    watch(site)
    site.queue = Queue(work_slowly)
    site.queue.add(Key(work.ZONE, *REGION_KEY))
    task = asyncio.create_task(lead_forever(site, election))
    election.won.set()
    await until(lambda: len(site.queue._processing) == 3)
    await cancel(task)
    assert election.history == ["acquired", *["stopped"] * 3, "released"]


async def test_worker_that_fails_for_good_ends_the_operator_and_frees_the_lease(
    site: Site, election: Election, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def break_down(lane: Lane) -> None:
        raise RuntimeError("a bug in the queue")

    watch(site)
    monkeypatch.setattr(site.queue, "work", break_down)
    election.won.set()
    with pytest.raises(RuntimeError, match="a bug"):
        await lead_forever(site, election)
    assert election.history == ["acquired", "released"]


async def test_follower_learns_the_keys_that_another_made(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leadership, "LEARN_EVERY_S", 0.01)
    site.put(REGION, gen.body("RegionController", "demo"))
    task = asyncio.create_task(learn_keys_forever(site))
    site.client.put(SECRET, build_keys_secret(*REGION_KEY, {1: gen.KEY.secret}, ((1,), 1)))
    await asyncio.sleep(0.05)
    assert site.regions[REGION_KEY].keys is None
    site.client.fail = True
    await asyncio.sleep(0.05)
    site.client.put(SECRET, build_agent_secret(*REGION_KEY, "agent key"))
    site.client.fail = False
    await until(lambda: site.regions[REGION_KEY].keys is not None)
    assert site.region_keys().agent == b"agent key"
    assert site.client.writes == []
    await cancel(task)
