"""What a person wrote that cannot be worked with is said on that object alone, and all else goes on."""

from contextlib import suppress
from typing import Any

import pytest

from rackrelay.cluster.client import CONFIG_MAP, RACK, REGION, SERVICE, SUBNET
from rackrelay.controllers import work
from rackrelay.controllers.dispatch import reconcile
from rackrelay.controllers.publish import zone
from rackrelay.controllers.state.region_state import RegionKeys
from rackrelay.controllers.work import Key
from rackrelay.errors import InvalidSpec, NotReady
from rackrelay.manifests.configmaps import build_zone_config
from tests import gen
from tests.unit.controllers.site import Site

DEMO = (gen.NAMESPACE, "demo")


@pytest.fixture
async def laid_out(site: Site) -> Site:
    site.put(REGION, gen.body("RegionController", spec={"replicas": 1}))
    site.put(RACK, gen.body("RackController", spec={"pods": {"nodeSelector": gen.RACK_NODES}}))
    site.put(SUBNET, gen.body("Subnet", "prov", {"cidr": "10.10.0.0/24"}))
    site.regions[DEMO].keys = RegionKeys(gen.KEY, b"agent key", since=site.now())
    site.put(CONFIG_MAP, build_zone_config(*DEMO, gen.zone(1), None))
    metadata = {"namespace": gen.NAMESPACE, "name": "demo-region-0"}
    site.put(SERVICE, {"metadata": metadata, "spec": {"clusterIP": "10.96.0.10"}})
    return site


async def everything(site: Site) -> None:
    """All work, as the queue would bring it."""
    for name, key in (("prov", work.SUBNET), ("wrong", work.SUBNET)):
        await reconcile(site, Key(key, gen.NAMESPACE, name))
    for what in (work.ZONE, work.REGION, work.RACK):
        # Racks wait for Services that an API server would give addresses.
        with suppress(NotReady):
            await reconcile(site, Key(what, *DEMO))


def message(site: Site, kind: str, name: str, condition: str = "Ready") -> str:
    return next(str(c["message"]) for c in site.status(kind, name)["conditions"] if c["type"] == condition)


async def test_subnet_that_cannot_be_parsed_says_so_and_the_others_have_their_names(laid_out: Site) -> None:
    laid_out.put(SUBNET, gen.body("Subnet", "wrong", {"cidr": "10.10.0.7/24"}))
    await everything(laid_out)
    await reconcile(laid_out, Key(work.SUBNET, gen.NAMESPACE, "prov"))
    assert laid_out.conditions("Subnet", "wrong") == {
        "Ready": ("False", "InvalidSpec"),
        "Stalled": ("True", "InvalidSpec"),
    }
    assert "spec.cidr: value is not a valid IPv4 or IPv6 network, got '10.10.0.7/24'" in message(
        laid_out, "Subnet", "wrong"
    )
    assert laid_out.status("Subnet", "prov")["dnsName"] == "10-10-0-0--24.maas-internal"
    assert "Stalled" not in laid_out.conditions("RegionController", "demo")


async def test_region_with_a_field_that_cannot_be_used_keeps_its_zone_true(laid_out: Site) -> None:
    """A dead rack must leave the name all the same."""
    laid_out.put(REGION, gen.body("RegionController", spec={"replicas": 99}, generation=2))
    before = dict(laid_out.client.objects)
    await everything(laid_out)
    assert laid_out.conditions("RegionController", "demo")["Stalled"] == ("True", "InvalidSpec")
    assert laid_out.zone_state().zone.domain == gen.DOMAIN
    assert ("StatefulSet", gen.NAMESPACE, "demo-region") not in laid_out.client.objects.keys() - before.keys()


@pytest.mark.parametrize(
    ("spec", "field", "racks"),
    [
        ({"dns": {"forwarders": ["ten"]}}, "spec.dns.forwarders", ("True", "Applied")),
        ({"domain": "a b"}, "spec.domain", ("False", "RegionInvalid")),
    ],
)
async def test_value_that_rendering_refuses_is_told_on_the_region_alone(
    laid_out: Site, spec: dict[str, Any], field: str, racks: tuple[str, str]
) -> None:
    laid_out.put(REGION, gen.body("RegionController", spec={"replicas": 1, **spec}, generation=2))
    await everything(laid_out)
    assert laid_out.conditions("RegionController", "demo")["Stalled"] == ("True", "InvalidSpec")
    assert field in message(laid_out, "RegionController", "demo")
    conditions = laid_out.conditions("RackController", "demo")
    assert (conditions["Ready"], "Stalled" in conditions) == (racks, False)


async def test_zone_that_cannot_be_decided_is_told_by_its_region_until_it_can(
    laid_out: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zone, "next_serial", exhausted)
    laid_out.put(CONFIG_MAP, build_zone_config(*DEMO, gen.zone(1, old=("10.10.0.9",)), None))
    await everything(laid_out)
    assert laid_out.conditions("RegionController", "demo")["Stalled"] == ("True", "InvalidSpec")
    assert "the serial has run out" in message(laid_out, "RegionController", "demo")
    monkeypatch.undo()
    await everything(laid_out)
    assert "Stalled" not in laid_out.conditions("RegionController", "demo")


def exhausted(*_: int, **__: int) -> int:
    raise InvalidSpec("status.zone.serial", "the serial has run out")
