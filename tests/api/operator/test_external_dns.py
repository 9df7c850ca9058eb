"""external.dns by the whole operator, from the missing Secret to a server that is away for a while."""

import base64
import functools
import socket
from collections.abc import Iterator

import pytest

from lab.apiserver import ApiServer
from rackrelay import names
from rackrelay.cluster.client import CONFIG_MAP, EVENT, REGION, SECRET
from rackrelay.daemons.named import NAMED
from rackrelay.nameservers.update import TsigKey
from tests.api.operator.cluster import Manifest, wait_for
from tests.api.operator.rig import DOMAIN, REGION_NAME, Rig, open_rig
from tests.fakes.external_server import FakeExternal

pytestmark = pytest.mark.api

KEY = TsigKey("outside", "c2VjcmV0IG9mIHRoZSBvdXRzaWRlLCBub3QgcmFja3JlbGF5cw==", "hmac-sha512")
NAME = "10-10-0-0--24"


@pytest.fixture(scope="module")
def site(api_server: ApiServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """A region with one replica and two racks on one subnet."""
    with open_rig(api_server, tmp_path_factory.mktemp("external")) as rig:
        rig.operator.environment["LOG_LEVEL"] = "DEBUG"
        rig.operator.start()
        rig.apply("RegionController", REGION_NAME, {"replicas": 1})
        rig.apply_demo("rack.yaml")
        rig.apply("Subnet", "prov-a", {"cidr": "10.10.0.0/24"})
        rig.add_region_pod(0)
        for number in (2, 3):
            rig.add_rack(number, f"10.10.0.{number}/24")
        rig.wait_zone(_10_10_0_0__24=("10.10.0.2", "10.10.0.3"))
        yield rig


def own_address() -> str:
    """This machine's address, because racks may not be given one of loopback. Nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect(("192.0.2.1", 53))
        return str(sock.getsockname()[0])


@pytest.fixture(scope="module")
def outside() -> Iterator[FakeExternal]:
    with FakeExternal(DOMAIN, KEY, own_address()) as fake:
        yield fake


def put_secret(site: Rig, secret: str) -> None:
    metadata = {"namespace": site.namespace, "name": "outside"}
    fields = {names.KEY_TSIG_NAME: KEY.name, names.KEY_TSIG_ALGORITHM: KEY.algorithm, names.KEY_TSIG_SECRET: secret}
    data = {key: base64.b64encode(text.encode()).decode() for key, text in fields.items()}
    site.cluster.apply(SECRET, {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data})


def message(found: Manifest) -> str:
    return next(str(c["message"]) for c in found["status"]["conditions"] if c["type"] == "ExternalDNSPublished")


def wait_served(site: Rig, outside: FakeExternal, *addresses: str) -> None:
    wait_for(
        f"{addresses} outside",
        lambda: outside.names() == {NAME: addresses},
        lambda: f"{outside.records}\n{site.get(REGION, REGION_NAME)}\n{site.operator.log}",
    )


def _says(site: Rig, config: str, words: str) -> bool:
    return words in site.wait_object(CONFIG_MAP, config)["data"][NAMED.file]


def test_zone_is_published_outside_too(site: Rig, outside: FakeExternal) -> None:
    spec = {"addresses": [outside.address], "port": outside.port, "tsigSecretRef": {"name": "outside"}}
    site.cluster.patch(REGION, site.namespace, REGION_NAME, {"spec": {"external": {"dns": spec}}})
    missing = ("False", "SecretNotFound")
    found = site.wait_conditions(REGION, REGION_NAME, ExternalDNSPublished=missing, Ready=missing)
    assert "Secret outside" in message(found)
    forwarders = f"forwarders {{ {outside.address} port {outside.port}; }};"
    for config in (names.region_config(REGION_NAME), names.rack_workload(REGION_NAME)):
        wait_for(f"forwarders in {config}", functools.partial(_says, site, config, forwarders))
    put_secret(site, base64.b64encode(b"another").decode())
    found = site.wait_conditions(REGION, REGION_NAME, ExternalDNSPublished=("False", "KeyRefused"), Reconciling=None)
    assert "into Secret outside" in message(found)
    assert outside.names() == {}
    put_secret(site, KEY.secret)
    site.wait_conditions(REGION, REGION_NAME, ExternalDNSPublished=("True", "Published"), Ready=("True", "Applied"))
    wait_served(site, outside, "10.10.0.2", "10.10.0.3")


def test_withdrawn_rack_goes_outside_too(site: Rig, outside: FakeExternal) -> None:
    site.pods["rack3"].power_off()
    wait_served(site, outside, "10.10.0.2")
    site.pods["rack3"].power_on()
    wait_served(site, outside, "10.10.0.2", "10.10.0.3")


def test_what_somebody_else_did_is_put_right_and_told(site: Rig, outside: FakeExternal) -> None:
    outside.write(NAME, "A", "10.66.0.1")
    wait_served(site, outside, "10.10.0.2", "10.10.0.3")

    def told() -> list[Manifest]:
        return [e for e in site.cluster.list_all(EVENT, site.namespace) if e["reason"] == "ContentDiffers"]

    (event,) = wait_for("an Event", told, lambda: site.operator.log)
    assert event["message"].startswith(f"ExternalDNSPublished=False: {outside.address} had other records of {NAME}")
    site.wait_conditions(REGION, REGION_NAME, ExternalDNSPublished=("True", "Published"))


def test_server_that_was_away_gets_what_it_missed_and_the_racks_did_not_wait(site: Rig, outside: FakeExternal) -> None:
    outside.close()
    site.pods["rack2"].power_off()
    site.wait_zone(_10_10_0_0__24=("10.10.0.3",))
    away = ("False", "Unreachable")
    site.wait_conditions(REGION, REGION_NAME, ExternalDNSPublished=away, ZonePublished=("True", "Published"))
    outside.start()
    wait_served(site, outside, "10.10.0.3")
    site.wait_conditions(REGION, REGION_NAME, ExternalDNSPublished=("True", "Published"), Ready=("True", "Applied"))
    site.pods["rack2"].power_on()
    wait_served(site, outside, "10.10.0.2", "10.10.0.3")


def test_restarted_operator_sends_nothing(site: Rig, outside: FakeExternal) -> None:
    updates, transfers = len(outside.record.updates), outside.record.transfers
    site.operator.kill()
    site.operator.start()
    wait_for("a look", lambda: outside.record.transfers > transfers, lambda: site.operator.log)
    site.wait_polled(4)
    assert len(outside.record.updates) == updates


def test_keys_are_never_logged_whatever_the_level(site: Rig) -> None:
    log = site.operator.log
    assert " DEBUG " in log
    assert KEY.secret not in log
    assert base64.b64encode(KEY.secret.encode()).decode() not in log


def test_servers_of_others_are_left_as_they_are_when_they_are_no_longer_used(site: Rig, outside: FakeExternal) -> None:
    site.cluster.patch(REGION, site.namespace, REGION_NAME, {"spec": {"external": None}})
    site.wait_conditions(REGION, REGION_NAME, ExternalDNSPublished=None)
    assert outside.names() == {NAME: ("10.10.0.2", "10.10.0.3")}
