"""What is reconciled when something changed."""

import pytest

from rackrelay import names
from rackrelay.cluster.client import CONFIG_MAP, NODE, POD, RACK, REGION, SUBNET, Kind
from rackrelay.controllers import work
from rackrelay.controllers.dispatch import reconcile
from rackrelay.controllers.routing import route
from rackrelay.controllers.work import Key
from tests import gen
from tests.unit.controllers.site import Site

EVERYTHING = {"region demo", "zone demo", "rack demo", "subnet prov"}


@pytest.fixture
def laid_out(site: Site) -> Site:
    site.put(REGION, gen.body("RegionController"))
    site.put(RACK, gen.body("RackController"))
    site.put(SUBNET, gen.body("Subnet", "prov", {"cidr": "10.10.0.0/24"}))
    return site


def arrive(site: Site, kind: Kind, body: gen.Manifest) -> set[str]:
    changed = site.cache.upsert(kind, site.client.put(kind, body))
    assert changed is not None
    route(site, kind, *changed)
    return site.waiting()


def leave(site: Site, kind: Kind, name: str) -> set[str]:
    before = site.cache.remove(kind, (gen.NAMESPACE, name))
    assert before is not None
    route(site, kind, before, None)
    return site.waiting()


def test_new_resource_concerns_everything(laid_out: Site) -> None:
    more = gen.body("Subnet", "more", {"cidr": "10.20.0.0/24"})
    assert arrive(laid_out, SUBNET, more) == EVERYTHING | {"subnet more"}


def test_changed_spec_concerns_everything(laid_out: Site) -> None:
    body = gen.body("Subnet", "prov", {"cidr": "10.10.0.0/24", "managed": False}, generation=2)
    assert arrive(laid_out, SUBNET, body) == EVERYTHING


def test_status_alone_concerns_its_owner_alone(laid_out: Site) -> None:
    body = {**gen.body("Subnet", "prov", {"cidr": "10.10.0.0/24"}), "status": {"addresses": []}}
    assert arrive(laid_out, SUBNET, body) == {"subnet prov"}


def test_deleted_resource_concerns_the_others(laid_out: Site) -> None:
    assert leave(laid_out, SUBNET, "prov") == (EVERYTHING | {"subnet prov"})
    assert leave(laid_out, REGION, "demo") == {"region demo", "rack demo"}


async def test_node_concerns_regions_and_racks_and_no_subnet(laid_out: Site) -> None:
    """The zone has those Subnets reconciled whose answer changed: one Node must not cost five hundred of them."""
    assert arrive(laid_out, NODE, {"metadata": {"name": "rack1"}}) == EVERYTHING - {"subnet prov"}


@pytest.mark.parametrize(
    ("component", "label", "expected"),
    [
        (names.COMPONENT_REGION, names.LABEL_REGION, {"region demo", "zone demo"}),
        (names.COMPONENT_RACK, names.LABEL_RACK_CONTROLLER, {"rack demo", "zone demo"}),
    ],
)
def test_pod_concerns_its_owner_and_the_zone(laid_out: Site, component: str, label: str, expected: set[str]) -> None:
    labels = {names.LABEL_COMPONENT: component, label: "demo"}
    metadata = {"namespace": gen.NAMESPACE, "name": "x", "uid": "x", "labels": labels}
    assert arrive(laid_out, POD, {"metadata": metadata}) == expected


def test_owned_object_is_looked_after(laid_out: Site) -> None:
    body = {"metadata": {"namespace": gen.NAMESPACE, "name": "demo-region"}, "data": {}}
    assert arrive(laid_out, CONFIG_MAP, body) == {"region demo", "zone demo", "rack demo"}
    assert leave(laid_out, CONFIG_MAP, "demo-region") == {"region demo", "zone demo", "rack demo"}


@pytest.mark.parametrize("what", [work.REGION, work.ZONE, work.RACK, work.SUBNET])
async def test_what_is_gone_needs_nothing(site: Site, what: work.Work) -> None:
    await reconcile(site, Key(what, gen.NAMESPACE, "gone"))
    assert site.client.writes == []


async def test_region_that_is_going_is_forgotten(laid_out: Site) -> None:
    key = (gen.NAMESPACE, "demo")
    body = gen.body("RegionController", deletionTimestamp="2026-01-01T00:00:00Z", generation=2)
    laid_out.cache.upsert(REGION, body)
    laid_out.zones[key] = object()  # type: ignore[assignment]
    laid_out.links[key] = {}
    laid_out.stored_zones[key] = ({}, gen.zone(1))
    for kind in (REGION, RACK):
        laid_out.config_hashes[(kind, *key)] = "c0ffee"
    await reconcile(laid_out, Key(work.REGION, *key))
    assert (laid_out.zones, laid_out.links, laid_out.stored_zones) == ({}, {}, {})
    assert list(laid_out.config_hashes) == [(RACK, *key)], "the racks stay"
    leave(laid_out, RACK, "demo")
    await reconcile(laid_out, Key(work.RACK, *key))
    assert laid_out.config_hashes == {}
    assert laid_out.client.writes == []
