"""Two operators that replace a key at once: one is stopped or killed at every request, while the other goes on."""

import asyncio
from contextlib import suppress
from functools import partial
from itertools import pairwise

import pytest

from rackrelay import names
from rackrelay.cluster.client import REGION, SECRET
from rackrelay.controllers.resources import keys
from rackrelay.controllers.resources.keys import KeyPlan, ensure_keys, next_plan
from rackrelay.errors import Conflict, NotLeading
from tests import gen
from tests.fakes.operators import Operator, WatchedClient, end
from tests.unit.controllers.publish.test_interleavings import region_of
from tests.unit.controllers.site import Site


def plans(api: WatchedClient) -> list[KeyPlan]:
    """What the Secret that pods mount has said, in order."""
    found = []
    for stored in api.history:
        if stored["kind"] == SECRET.name and stored["metadata"]["name"] == names.keys_secret("demo"):
            data = keys._decode(stored)
            accepted = tuple(int(n) for n in data[names.KEY_TSIG_ACCEPTED].split(b","))
            found.append(KeyPlan(accepted, int(data[names.KEY_TSIG_SIGNING])))
    return found


def rotating(api: WatchedClient, agents: object, stop_at: int | None = None) -> Operator:
    """One that shall replace the first key by the second, and whose servers have all that it renders."""
    made = Operator(api, agents, stop_at)
    made.site.cache.upsert(REGION, gen.body("RegionController", "demo", {"replicas": 1, "tsig": {"rotation": 2}}))
    return made


async def rotate(operator: Operator, steps: int) -> None:
    for _ in range(steps):
        operator.site.regions[(gen.NAMESPACE, "demo")].config_hash = "c0ffee"
        await ensure_keys(operator.site, region_of(operator.site))
        operator.site.waiting()


@pytest.mark.parametrize("fate", ["wakes", "wakes past its fence", "is killed"])
async def test_operator_that_stops_anywhere_in_a_rotation_skips_no_step(
    site: Site, fate: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys, "OVERLAP_S", 0.0)
    for point in range(1, 200):
        api = WatchedClient()
        founder = Operator(api, site.agents)
        founder.site.cache.upsert(REGION, gen.body("RegionController", "demo", {"replicas": 1}))
        await ensure_keys(founder.site, region_of(founder.site))
        first = rotating(api, site.agents, point)
        task = first.start(partial(rotate, first, 4))
        stopping = asyncio.create_task(first.pace.stopped.wait())
        await asyncio.wait([task, stopping], return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if task.done():
            break
        await rotate_on(api, first, task, fate)
        seen = plans(api)
        assert seen[-1] == KeyPlan((2,), 2)
        for before, after in pairwise(seen):
            assert after in (before, next_plan(before, 2, True))
        secrets = [o for o in api.history if o["metadata"]["name"] == names.tsig_secret("demo", 2)]
        assert len(secrets) == 1, "the key was made once"
    assert point > 12


async def rotate_on(api: WatchedClient, first: Operator, task: "asyncio.Task[None]", fate: str) -> None:
    other = rotating(api, first.site.agents)
    await rotate(other, 2)
    if fate == "is killed":
        await end(first, task)
    else:
        if fate == "wakes":
            first.depose()
        first.pace.resume()
        with suppress(NotLeading, Conflict):
            await task
    await rotate(rotating(api, first.site.agents), 4)
