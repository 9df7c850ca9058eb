"""The zone at name servers of somebody else's: when they are looked at, what is remembered, and what is told."""

import dataclasses
from collections.abc import AsyncIterator, Mapping
from contextlib import ExitStack
from typing import Any

import pytest

from rackrelay import names
from rackrelay.cluster.client import CONFIG_MAP, REGION, SECRET
from rackrelay.controllers import work
from rackrelay.controllers.dispatch import reconcile
from rackrelay.controllers.publish.external import external_condition, external_keys, parse_key
from rackrelay.controllers.publish.zone import reconcile_zone
from rackrelay.controllers.resources.region import reconcile_region
from rackrelay.controllers.state.region_state import RegionKeys, RegionState, ZoneState
from rackrelay.controllers.work import Key
from rackrelay.errors import InvalidSpec
from rackrelay.manifests.configmaps import build_zone_config
from rackrelay.model.condition import Condition
from rackrelay.model.region import RegionController
from rackrelay.nameservers import external
from rackrelay.zone.plan import Zone
from tests import gen
from tests.fakes.external_server import FakeExternal
from tests.unit.controllers.site import Site

ADDRESSES = ("127.54.1.1", "127.54.1.2")
KEY = dataclasses.replace(gen.KEY, name="outside", algorithm="hmac-sha384")
ZONE = Zone(gen.DOMAIN, 15, 4, {("10-10-0-0--24", "A"): ("10.10.0.2",)})
OTHER = Zone(gen.DOMAIN, 15, 5, {("10-10-0-0--24", "A"): ("10.10.0.3",)})


class Outside(ExitStack):
    """A region whose zone is published at two name servers of somebody else's."""

    def __init__(self, site: Site, port: int) -> None:
        super().__init__()
        self.site, self.port = site, port
        self.servers = [self.enter_context(FakeExternal(gen.DOMAIN, KEY, address, port)) for address in ADDRESSES]
        self.use(*ADDRESSES)
        self.put_secret(name=KEY.name, algorithm=KEY.algorithm, secret=KEY.secret)
        self.decide(ZONE)

    def use(self, *addresses: str, **more: list[str]) -> None:
        spec = {"addresses": list(addresses), "port": self.port, "tsigSecretRef": {"name": "outside"}}
        external = {"external": {"dns": {**spec, **more}}} if addresses else {}
        self.site.put(REGION, gen.body("RegionController", "demo", {"replicas": 1, **external}))

    def put_secret(self, **fields: str) -> None:
        self.site.client.put(
            SECRET, {"metadata": {"namespace": gen.NAMESPACE, "name": "outside"}, "stringData": fields}
        )

    def decide(self, zone: Zone) -> None:
        self.site.regions[self.region.meta.key].zone = ZoneState(zone, {}, {})

    @property
    def state(self) -> RegionState:
        return self.site.regions[self.region.meta.key]

    @property
    def region(self) -> RegionController:
        return self.site.inventory.regions(gen.NAMESPACE)[0]

    async def look(self, *addresses: str) -> Condition | None:
        for address in addresses or ADDRESSES:
            await reconcile(self.site, Key(work.EXTERNAL, gen.NAMESPACE, "demo", address))
        return external_condition(self.site, self.region)

    def next_look_s(self) -> dict[str, float]:
        """Address -> seconds until it is looked at again."""
        timers = self.site.queue._timers.items()
        return {k.server: timer.when() - self.site.now() for k, timer in timers if k.work == work.EXTERNAL}

    def due(self) -> set[Key]:
        """The external servers that wait to be looked at now."""
        return {key for key in self.site.queue._dirty if key.work == work.EXTERNAL}


@pytest.fixture
async def outside(site: Site, unused_port: int, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Outside]:
    monkeypatch.setattr(external, "TIMEOUT_S", 0.1)
    with Outside(site, unused_port) as found:
        yield found


async def test_zone_is_published_and_looked_after(outside: Outside) -> None:
    found = await outside.look()
    assert found is not None
    assert (found.status, found.reason, found.alarming) == (True, "Published", False)
    assert [server.names() for server in outside.servers] == [{"10-10-0-0--24": ("10.10.0.2",)}] * 2
    assert max(outside.next_look_s().values()) < 2, "what was written is read back soon"
    assert "region demo" in outside.site.waiting()


async def test_nothing_is_sent_before_the_zone_is_decided(outside: Outside) -> None:
    outside.state.zone = None
    assert await outside.look() is None
    assert [server.record.queries for server in outside.servers] == [0, 0]


async def test_region_without_external_servers_has_no_condition(outside: Outside) -> None:
    await outside.look()
    outside.use()
    outside.site.queue._timers.clear()
    assert await outside.look() is None
    assert (outside.state.external, outside.next_look_s()) == ({}, {})


async def test_secondaries_are_left_to_their_primary(outside: Outside) -> None:
    outside.use(*ADDRESSES, primaries=[ADDRESSES[1]])
    assert (found := await outside.look()) is not None
    assert found.message == "the zone is published at 127.54.1.2"
    assert [server.record.queries for server in outside.servers] == [0, 1]


async def test_look_that_finds_all_as_it_should_be_reads_no_records(outside: Outside) -> None:
    await outside.look()
    await outside.look()
    outside.site.waiting()
    before = [server.record.transfers for server in outside.servers]
    await outside.look()
    assert [server.record.transfers for server in outside.servers] == before
    assert outside.site.waiting() == {"external demo"}, "there is nothing to say"


async def test_change_is_sent_without_reading_what_is_known(outside: Outside) -> None:
    await outside.look()
    await outside.look()
    before = outside.servers[0].record.transfers
    outside.decide(OTHER)
    assert (found := await outside.look()) is not None
    assert found.reason == "Published"
    assert outside.servers[0].names() == {"10-10-0-0--24": ("10.10.0.3",)}
    assert outside.servers[0].record.transfers == before


async def test_all_is_read_now_and_then_because_a_serial_says_little(outside: Outside) -> None:
    await outside.look()
    await outside.look()
    server = outside.servers[0]
    server.records[("10-10-0-0--24", "A")] = (15, ("10.66.0.1",))
    assert (found := await outside.look()) is not None
    assert found.status
    for key, sight in outside.state.external.items():
        outside.state.external[key] = dataclasses.replace(sight, read_at=outside.site.now() - 301)
    assert (found := await outside.look()) is not None
    assert (found.reason, found.alarming) == ("ContentDiffers", True)
    assert server.names() == {"10-10-0-0--24": ("10.10.0.2",)}


async def test_what_somebody_else_did_is_put_right_and_told_until_the_next_look(outside: Outside) -> None:
    await outside.look()
    await outside.look()
    for i in range(5):
        outside.servers[1].write(f"10-66-{i}-0--24", "A", "10.66.0.1")
    assert (found := await outside.look()) is not None
    assert (found.status, found.reason) == (False, "ContentDiffers")
    assert "127.54.1.2 had other records of 10-66-0-0--24, 10-66-1-0--24, 10-66-2-0--24 and 2 more" in found.message
    assert outside.servers[1].names() == {"10-10-0-0--24": ("10.10.0.2",)}
    assert (found := await outside.look()) is not None
    assert found.reason == "Published"


async def test_dead_server_holds_up_nobody_and_gets_what_it_missed(outside: Outside) -> None:
    await outside.look()
    dead = outside.servers[0]
    dead.close()
    outside.decide(OTHER)
    assert (found := await outside.look()) is not None
    assert (found.status, found.reason) == (False, "Unreachable")
    assert "127.54.1.1 does not answer" in found.message
    assert "127.54.1.2" not in found.message
    assert outside.servers[1].names() == {"10-10-0-0--24": ("10.10.0.3",)}
    dead.start()
    assert (found := await outside.look()) is not None
    assert found.reason == "Published", "what it missed while it was away is nobody's fault"
    assert dead.names() == {"10-10-0-0--24": ("10.10.0.3",)}


async def test_worst_trouble_gives_the_reason_and_all_are_told(outside: Outside) -> None:
    outside.servers[0].silent = True
    outside.servers[1].refuses.add("UPDATE")
    assert (found := await outside.look()) is not None
    assert found.reason == "UpdateRefused"
    assert "127.54.1.1 does not answer; 127.54.1.2 refuses an update (REFUSED)" in found.message
    assert "allow-update" in found.message


async def test_missing_secret_is_named_and_found_once_it_exists(outside: Outside) -> None:
    del outside.site.client.objects[("Secret", gen.NAMESPACE, "outside")]
    assert (found := await outside.look()) is not None
    assert (found.status, found.reason) == (False, "SecretNotFound")
    assert "Secret outside of spec.external.dns.tsigSecretRef does not exist" in found.message
    assert outside.servers[0].record.queries == 0
    outside.put_secret(name=KEY.name, algorithm="HMAC-SHA384.", secret=KEY.secret + "\n")
    assert (found := await outside.look()) is not None
    assert found.reason == "Published"


async def test_wrong_secret_is_named(outside: Outside) -> None:
    outside.put_secret(name=KEY.name, algorithm=KEY.algorithm, secret="c29tZXRoaW5nIGVsc2U=")
    assert (found := await outside.look()) is not None
    assert found.reason == "KeyRefused"
    assert "into Secret outside" in found.message
    assert "c29tZXRoaW5nIGVsc2U=" not in found.message


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        pytest.param({"secret": KEY.secret}, "name", id="no name"),
        pytest.param({"name": "outside"}, "secret", id="no secret"),
        pytest.param({"name": "outside", "secret": ""}, "secret", id="an empty secret"),
        pytest.param({"name": "outside", "secret": "s3cret!"}, "secret", id="a secret that is not base64"),
        pytest.param({"name": "s3cret!", "secret": KEY.secret}, "name", id="fields mixed up"),
        pytest.param({"name": "a", "secret": KEY.secret, "algorithm": "s3cret!"}, "algorithm", id="unknown algorithm"),
        pytest.param({"name": "a", "secret": KEY.secret, "algorithm": "hmac-md5"}, "algorithm", id="weak algorithm"),
    ],
)
async def test_secret_that_holds_no_key(outside: Outside, fields: Mapping[str, str], field: str) -> None:
    outside.put_secret(**fields)
    assert (found := await outside.look()) is not None
    assert found.reason == "SecretInvalid"
    assert found.message.startswith(f"Secret outside: {field}: ")
    assert "s3cret!" not in found.message
    assert KEY.secret not in found.message


def test_key_that_is_no_text() -> None:
    with pytest.raises(InvalidSpec, match="name: is not text"):
        parse_key({names.KEY_TSIG_NAME: "/w==", names.KEY_TSIG_SECRET: "YQ=="})


async def reconciled(outside: Outside) -> dict[str, tuple[str, str]]:
    """The region's conditions."""
    site: Any = outside.site
    site.regions[outside.region.meta.key].keys = RegionKeys(gen.KEY, b"agent key", since=site.now())
    site.put(CONFIG_MAP, build_zone_config(gen.NAMESPACE, "demo", gen.zone(1), None))
    await reconcile_region(site, outside.region)
    found: dict[str, tuple[str, str]] = site.conditions("RegionController", "demo")
    return found


async def test_region_has_its_servers_looked_at_and_says_what_was_seen(outside: Outside) -> None:
    assert "ExternalDNSPublished" not in await reconciled(outside)
    assert outside.due() == set(external_keys(outside.region))
    await outside.look()
    found = await reconciled(outside)
    assert found["ExternalDNSPublished"] == ("True", "Published")
    assert found["Ready"] == ("False", "Starting")
    assert "ZonePublished" in found


async def test_region_is_not_ready_without_its_secret(outside: Outside) -> None:
    del outside.site.client.objects[("Secret", gen.NAMESPACE, "outside")]
    await outside.look()
    found = await reconciled(outside)
    assert found["Ready"] == found["ExternalDNSPublished"] == ("False", "SecretNotFound")


async def test_restarted_operator_keeps_the_condition_until_it_has_looked(outside: Outside) -> None:
    await outside.look()
    await reconciled(outside)
    writes = outside.site.client.writes
    outside.state.external.clear()
    writes.clear()
    assert (await reconciled(outside))["ExternalDNSPublished"] == ("True", "Published")
    await outside.look()
    await reconciled(outside)
    assert [line for line in writes if "status" in line or "Event" in line] == []


async def test_new_version_of_the_zone_is_sent_on(outside: Outside) -> None:
    site = outside.site
    site.regions[outside.region.meta.key].keys = RegionKeys(gen.KEY, b"agent key")
    outside.state.zone = None
    await reconcile_zone(site, outside.region)
    assert outside.due() == set(external_keys(outside.region))
    site.queue._dirty.clear()
    await reconcile_zone(site, outside.region)
    assert outside.due() == set()
