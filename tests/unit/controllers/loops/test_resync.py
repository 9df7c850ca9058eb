"""The first picture, and LISTs that bring back what was missed."""

import asyncio
import weakref
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from ipaddress import ip_address
from typing import Any

import pytest

from rackrelay.cluster.client import NODE, REGION, SUBNET, Kind
from rackrelay.controllers.loops import resync as module
from rackrelay.controllers.loops.resync import fill_cache, resync, resync_forever
from rackrelay.errors import ClusterError
from tests import gen
from tests.unit.controllers.site import Site

PROV = gen.body("Subnet", "prov", {"cidr": "10.10.0.0/24"})
OTHER = gen.body("Subnet", "other", {"cidr": "10.20.0.0/24"})


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not holds():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.005)


async def test_everything_is_read_and_queued(site: Site) -> None:
    site.client.put(REGION, gen.body("RegionController"))
    racks = [{"name": "rack1", "addresses": ["10.10.0.2"], "tier": "Healthy"}]
    site.client.put(SUBNET, {**PROV, "status": {"racks": racks}})
    await fill_cache(site)
    assert site.waiting() >= {"region demo", "zone demo", "subnet prov"}
    assert site.health.addresses(gen.rack(), "rack1") == (ip_address("10.10.0.2"),)


async def test_nothing_is_queued_while_anything_cannot_be_read(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RETRY_S", 0.01)
    site.client.put(REGION, gen.body("RegionController"))
    site.client.fail = True
    filling = asyncio.create_task(fill_cache(site))
    await asyncio.sleep(0.05)
    assert not filling.done()
    assert site.waiting() == set()
    site.client.fail = False
    await filling
    assert "zone demo" in site.waiting()


class Body(dict[str, Any]):
    """An object whose end can be seen."""


async def test_objects_of_a_page_are_gone_before_the_next_one_comes(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thousand pods at once take more memory than everything else."""
    seen: list[weakref.ref[Body]] = []
    alive: list[int] = []

    async def pages(kind: Kind, namespace: str) -> AsyncIterator[list[Body]]:
        for number in range(5):
            alive.append(sum(1 for body in seen if body() is not None))
            page = [Body(metadata={"name": f"rack{number}"})]
            seen.append(weakref.ref(page[0]))
            yield page
            del page

    monkeypatch.setattr(site.client, "pages", pages)
    await resync(site, NODE, "")
    assert len(site.inventory.nodes()) == 5
    assert max(alive) <= 1


async def test_failed_list_takes_nothing_away(site: Site) -> None:
    site.put(SUBNET, PROV)
    site.client.fail = True
    with pytest.raises(ClusterError):
        await resync(site, SUBNET, gen.NAMESPACE)
    assert len(site.inventory.subnets(gen.NAMESPACE)) == 1


async def test_list_finds_what_was_missed(site: Site) -> None:
    site.put(REGION, gen.body("RegionController"))
    site.put(SUBNET, PROV)
    site.put(SUBNET, OTHER)
    site.client.objects.pop(("Subnet", gen.NAMESPACE, "prov"))
    site.waiting()
    await resync(site, SUBNET, gen.NAMESPACE)
    assert [s.meta.name for s in site.inventory.subnets(gen.NAMESPACE)] == ["other"]
    assert "zone demo" in site.waiting()


async def test_empty_list_takes_nothing_away_until_another_agrees(site: Site) -> None:
    site.put(REGION, gen.body("RegionController"))
    site.put(SUBNET, PROV)
    site.client.objects.pop(("Subnet", gen.NAMESPACE, "prov"))
    site.waiting()
    await resync(site, SUBNET, gen.NAMESPACE)
    assert len(site.inventory.subnets(gen.NAMESPACE)) == 1
    assert site.waiting() == set()
    await resync(site, SUBNET, gen.NAMESPACE)
    assert site.inventory.subnets(gen.NAMESPACE) == []
    assert "zone demo" in site.waiting()
    assert site.cache.doubts == {}


async def test_empty_list_between_good_ones_is_forgotten(site: Site) -> None:
    site.put(SUBNET, PROV)
    kept = dict(site.client.objects)
    for objects in ({}, kept, {}):
        site.client.objects = dict(objects)
        await resync(site, SUBNET, gen.NAMESPACE)
        assert len(site.inventory.subnets(gen.NAMESPACE)) == 1


@pytest.mark.parametrize(("lost", "left"), [(2, 2), (3, 4)])
async def test_most_nodes_do_not_go_by_one_list(site: Site, lost: int, left: int) -> None:
    for number in range(4):
        site.put(NODE, {"metadata": {"name": f"node{number}"}})
    for number in range(lost):
        site.client.objects.pop(("Node", "", f"node{number}"))
    await resync(site, NODE, "")
    assert len(site.inventory.nodes()) == left
    await resync(site, NODE, "")
    assert len(site.inventory.nodes()) == 4 - lost


async def test_watch_that_began_anew_is_followed_by_lists_of_everything(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kind whose last object was deleted meanwhile has no events that could ask for its LIST."""
    monkeypatch.setattr(module, "RETRY_S", 0.01)
    monkeypatch.setattr(module, "CONFIRM_S", 0.01)
    site.put(SUBNET, PROV)
    site.client.objects.clear()
    bursts: asyncio.Queue[Kind] = asyncio.Queue()
    task = asyncio.create_task(resync_forever(site, bursts))
    try:
        site.client.fail = True
        bursts.put_nowait(NODE)
        await asyncio.sleep(0.05)
        assert len(site.inventory.subnets(gen.NAMESPACE)) == 1
        site.client.fail = False
        await until(lambda: not site.inventory.subnets(gen.NAMESPACE))
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@pytest.mark.parametrize(
    ("status", "advice"), [(404, "crds.install"), (403, "regionNamespaces"), (500, "cannot be read")]
)
def test_advice(status: int, advice: str) -> None:
    assert advice in module._advise(ClusterError("GET /x", status))


async def test_what_failed_during_an_outage_is_tried_at_once(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RETRY_S", 0.01)
    site.put(REGION, gen.body("RegionController"))
    site.waiting()
    bursts: asyncio.Queue[Kind] = asyncio.Queue()
    bursts.put_nowait(NODE)
    task = asyncio.create_task(resync_forever(site, bursts))
    try:
        await until(lambda: "zone demo" in site.waiting())
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
