"""What is reconciled when something changed."""

import asyncio

import pytest

from rackrelay import names
from rackrelay.cluster.client import CONFIG_MAP, NODE, POD, RACK, REGION, SUBNET, Kind
from rackrelay.controllers import work
from rackrelay.controllers.dispatch import reconcile, route
from rackrelay.controllers.queue import Queue
from rackrelay.controllers.routing import FOLLOW_S
from rackrelay.controllers.state.region_state import RegionKeys
from rackrelay.controllers.work import Key, Lane
from rackrelay.manifests.configmaps import build_zone_config
from rackrelay.manifests.meta import rack_labels, region_labels
from tests import gen
from tests.unit.controllers.site import Site

REGION_AND_RACKS = {"region demo", "zone demo", "rack demo"}
EVERYTHING = REGION_AND_RACKS | {"subnet prov"}


@pytest.fixture
def laid_out(site: Site) -> Site:
    site.put(REGION, gen.body("RegionController"))
    site.put(RACK, gen.body("RackController", spec={"pods": {"nodeSelector": gen.RACK_NODES}}))
    site.put(SUBNET, gen.body("Subnet", "prov", {"cidr": "10.10.0.0/24"}))
    return site


def arrive(site: Site, kind: Kind, body: gen.Manifest) -> set[str]:
    changed = site.cache.upsert(kind, site.client.put(kind, body))
    assert changed is not None
    route(site, kind, *changed)
    return site.waiting()


def leave(site: Site, kind: Kind, name: str, namespace: str = gen.NAMESPACE) -> set[str]:
    before = site.cache.remove(kind, (namespace, name))
    assert before is not None
    route(site, kind, before, None)
    return site.waiting()


async def test_new_subnet_concerns_its_region_and_no_other_subnet(laid_out: Site) -> None:
    more = gen.body("Subnet", "more", {"cidr": "10.20.0.0/24"})
    assert arrive(laid_out, SUBNET, more) == REGION_AND_RACKS | {"subnet more"}


@pytest.mark.parametrize(
    ("name", "spec"),
    [
        ("twin", {"cidr": "10.10.0.0/24"}),
        ("inside", {"cidr": "10.10.0.128/25"}),
        ("around", {"cidr": "10.0.0.0/8"}),
    ],
)
async def test_subnet_concerns_those_with_which_it_shares_addresses(
    laid_out: Site, name: str, spec: gen.Manifest
) -> None:
    laid_out.put(SUBNET, gen.body("Subnet", "apart", {"cidr": "10.20.0.0/24" if name != "around" else "192.0.2.0/24"}))
    assert arrive(laid_out, SUBNET, gen.body("Subnet", name, spec)) == EVERYTHING | {f"subnet {name}"}
    assert leave(laid_out, SUBNET, name) == EVERYTHING | {f"subnet {name}"}


async def test_subnet_concerns_those_that_its_racks_serve(laid_out: Site) -> None:
    laid_out.put(SUBNET, gen.body("Subnet", "vlan", {"cidr": "10.30.0.0/24", "servedBy": "prov"}))
    body = gen.body("Subnet", "prov", {"cidr": "10.10.0.0/24", "allowDNS": False}, generation=2)
    assert arrive(laid_out, SUBNET, body) == EVERYTHING | {"subnet vlan"}


async def test_status_alone_concerns_its_owner_alone(laid_out: Site) -> None:
    body = {**gen.body("Subnet", "prov", {"cidr": "10.10.0.0/24"}), "status": {"addresses": []}}
    assert arrive(laid_out, SUBNET, body) == {"subnet prov"}


async def test_changed_region_concerns_its_zone_and_racks(laid_out: Site) -> None:
    assert arrive(laid_out, REGION, gen.body("RegionController", spec={"ttlSeconds": 5})) == REGION_AND_RACKS


async def test_region_that_comes_or_goes_concerns_all_who_may_refer_to_it(laid_out: Site) -> None:
    second = arrive(laid_out, REGION, gen.body("RegionController", "second"))
    assert second == EVERYTHING | {"region second", "zone second"}
    assert leave(laid_out, REGION, "second") == EVERYTHING | {"region second"}
    going = gen.body("RegionController", deletionTimestamp="2026-01-01T00:00:00Z", generation=2)
    assert arrive(laid_out, REGION, going) == EVERYTHING


async def test_rack_concerns_the_regions_that_it_belonged_and_belongs_to(laid_out: Site) -> None:
    laid_out.put(REGION, gen.body("RegionController", "second"))
    moved = gen.body("RackController", spec={"regionRef": {"name": "second"}})
    assert arrive(laid_out, RACK, moved) == {"rack demo", "region second", "zone second"}
    back = gen.body("RackController", spec={"regionRef": {"name": "demo"}})
    assert arrive(laid_out, RACK, back) == REGION_AND_RACKS | {"region second", "zone second"}


async def test_node_concerns_the_regions_whose_racks_run_there_and_no_subnet(laid_out: Site) -> None:
    """The zone has those Subnets reconciled whose answer changed: one Node must not cost five hundred of them."""
    assert arrive(laid_out, NODE, {"metadata": {"name": "other"}}) == set()
    assert arrive(laid_out, NODE, {"metadata": {"name": "rack1", "labels": gen.RACK_NODES}}) == REGION_AND_RACKS
    assert arrive(laid_out, NODE, {"metadata": {"name": "rack1"}}) == REGION_AND_RACKS, "it was a rack until now"
    assert leave(laid_out, NODE, "rack1", "") == set()


@pytest.mark.parametrize(
    ("component", "label", "expected"),
    [
        (names.COMPONENT_REGION, names.LABEL_REGION, {"region demo", "zone demo"}),
        (names.COMPONENT_RACK, names.LABEL_RACK_CONTROLLER, {"rack demo", "zone demo"}),
    ],
)
async def test_pod_concerns_its_owner_and_the_zone(
    laid_out: Site, component: str, label: str, expected: set[str]
) -> None:
    labels = {names.LABEL_COMPONENT: component, label: "demo"}
    metadata = {"namespace": gen.NAMESPACE, "name": "x", "uid": "x", "labels": labels}
    assert arrive(laid_out, POD, {"metadata": metadata}) == expected


async def test_owned_object_is_looked_after(laid_out: Site) -> None:
    labels = region_labels("demo")
    body = {"metadata": {"namespace": gen.NAMESPACE, "name": "demo-region", "labels": labels}, "data": {}}
    assert arrive(laid_out, CONFIG_MAP, body) == REGION_AND_RACKS
    assert leave(laid_out, CONFIG_MAP, "demo-region") == REGION_AND_RACKS
    other = {"metadata": {"namespace": gen.NAMESPACE, "name": "x", "labels": region_labels("other")}, "data": {}}
    assert arrive(laid_out, CONFIG_MAP, other) == set()
    of_racks = {"metadata": {"namespace": gen.NAMESPACE, "name": "demo-rack", "labels": rack_labels("demo")}}
    assert arrive(laid_out, CONFIG_MAP, of_racks) == {"rack demo"}


async def test_edit_of_one_of_many_subnets_reconciles_it_and_those_whose_answer_changed(laid_out: Site) -> None:
    """All of the namespace for each edit would make an import of N Subnets cost N x N."""
    for number in range(5000):
        cidr = f"10.{100 + number // 256}.{number % 256}.0/24"
        laid_out.put(SUBNET, gen.body("Subnet", f"s{number}", {"cidr": cidr}))
    laid_out.regions[(gen.NAMESPACE, "demo")].keys = RegionKeys(gen.KEY, b"agent key")
    laid_out.put(CONFIG_MAP, build_zone_config(gen.NAMESPACE, "demo", gen.zone(1), None))
    seen: list[str] = []

    async def count(key: Key) -> None:
        seen.append(f"{key.work.name} {key.name}")
        if key.work in (work.ZONE, work.SUBNET):
            await reconcile(laid_out, key)

    laid_out.queue = Queue(count)
    await count(Key(work.ZONE, gen.NAMESPACE, "demo"))
    assert len(laid_out.waiting()) > 5000, "for each the first answer is news"
    laid_out.queue = Queue(count)
    seen.clear()
    arrive_body = gen.body("Subnet", "s77", {"cidr": "10.100.77.0/24", "servedBy": "prov"}, generation=2)
    changed = laid_out.cache.upsert(SUBNET, laid_out.client.put(SUBNET, arrive_body))
    assert changed is not None
    route(laid_out, SUBNET, *changed)
    worker = asyncio.create_task(laid_out.queue.work(Lane.OWN))
    await asyncio.sleep(2 * FOLLOW_S)
    await settle(laid_out)
    worker.cancel()
    assert {line for line in seen if line.startswith("subnet")} == {"subnet s77"}
    assert len(seen) < 12, seen


async def settle(site: Site) -> None:
    """Until nothing waits."""
    async with asyncio.timeout(60):
        while site.queue.counts()[0]:  # noqa: ASYNC110 - the queue tells nobody that it is empty
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("what", [work.REGION, work.ZONE, work.RACK, work.SUBNET, work.EXTERNAL])
async def test_what_is_gone_needs_nothing(site: Site, what: work.Work) -> None:
    await reconcile(site, Key(what, gen.NAMESPACE, "gone"))
    assert site.client.writes == []


async def test_region_that_is_going_is_forgotten(laid_out: Site) -> None:
    key = (gen.NAMESPACE, "demo")
    body = gen.body("RegionController", deletionTimestamp="2026-01-01T00:00:00Z", generation=2)
    laid_out.cache.upsert(REGION, body)
    laid_out.regions[key].stored_zone = ({}, gen.zone(1))
    laid_out.regions[(gen.NAMESPACE, "other")].config_hash = "c0ffee"
    await reconcile(laid_out, Key(work.REGION, *key))
    assert list(laid_out.regions) == [(gen.NAMESPACE, "other")]


async def test_racks_that_are_gone_are_forgotten_whatever_region_they_were_of(laid_out: Site) -> None:
    for region in ("demo", "second"):
        laid_out.regions[(gen.NAMESPACE, region)].rack_config_hashes.update(demo="c0ffee", other="c0ffee")
    laid_out.cache.remove(RACK, (gen.NAMESPACE, "demo"))
    await reconcile(laid_out, Key(work.RACK, gen.NAMESPACE, "demo"))
    assert [state.rack_config_hashes for state in laid_out.regions.values()] == [{"other": "c0ffee"}] * 2
