"""external.dns against a named that is configured by somebody else: publication, drift, outages, keys, forwarding.

machine -- prov -- rack -- fab -- operator -- lan -- the external named. There is no region: racks do not need it here.
"""

import asyncio
import base64
import dataclasses
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import dns.exception
import dns.message
import dns.query
import dns.rcode
import dns.update
import pytest

from rackrelay import names
from rackrelay.cluster.cache import Cache
from rackrelay.cluster.client import REGION, SECRET
from rackrelay.controllers.health.rack_health import RackHealth
from rackrelay.controllers.kinds import KINDS, parsers
from rackrelay.controllers.publish.external import external_condition, external_keys, reconcile_external
from rackrelay.controllers.queue import Queue
from rackrelay.controllers.state.context import Context
from rackrelay.controllers.state.region_state import ZoneState
from rackrelay.model.condition import Condition
from rackrelay.model.region import ExternalDNS
from rackrelay.nameservers.external import External, Unpublished, edit_external, read_external
from rackrelay.nameservers.server import NameServer
from rackrelay.nameservers.update import TsigKey
from rackrelay.process.settings import Settings
from rackrelay.render.inputs import RackInputs
from rackrelay.render.rack import render_rack
from rackrelay.zone.plan import Zone
from tests import gen
from tests.dataplane import external as outside
from tests.dataplane.external import ExternalBind
from tests.dataplane.netns import Namespace, connect, give, namespaces
from tests.dataplane.pod import Pod, wait_until
from tests.dataplane.site import DOMAIN, SUBNET_NAME, SUBNETS, ZONE_SERIAL, ZONE_TEXT
from tests.dataplane.site import REGION as SITE_REGION
from tests.fakes.api import FakeClient

pytestmark = pytest.mark.dataplane

EXTERNAL_IP, OPERATOR_IP, RACK_IP, RACK_PROV, CLIENT = (
    "192.168.77.53", "192.168.77.1", "192.168.77.11", "10.10.0.2", "10.10.0.101"
)  # fmt: skip
SECRET_NAME = "outside"
SPEC = {
    "replicas": 2,
    "external": {"dns": {"addresses": [EXTERNAL_IP], "tsigSecretRef": {"name": SECRET_NAME}}},
}


@dataclasses.dataclass
class Stage:
    """An operator's memory in a network namespace of its own, and the external named."""

    space: Namespace
    bind: ExternalBind
    context: Context
    client: FakeClient

    def publish(self, *hosts: int, ttl_s: int = 15, looks: int = 1) -> Condition:
        """The condition after some looks, with the zone of one subnet that has racks with these host numbers."""
        rrsets = {("10-10-0-0--24", "A"): tuple(f"10.10.0.{h}" for h in hosts)}
        self.context.regions[self.region.meta.key].zone = ZoneState(Zone(DOMAIN, ttl_s, 7, rrsets), {}, {})
        for _ in range(looks):
            self.run(self._look())
        found = external_condition(self.context, self.region)
        assert found is not None
        return found

    async def _look(self) -> None:
        for key in external_keys(self.region):
            await reconcile_external(self.context, self.region, key)

    @property
    def region(self) -> Any:
        """The RegionController."""
        return self.context.inventory.regions(gen.NAMESPACE)[0]

    def run(self, work: Any) -> Any:
        """The result of what runs in the operator's network namespace."""
        with self.space.inside():
            return asyncio.run(work)

    def put_key(self, key: TsigKey) -> None:
        """The Secret that the region names."""
        fields = {names.KEY_TSIG_NAME: key.name, "algorithm": key.algorithm, "secret": key.secret}
        metadata = {"namespace": gen.NAMESPACE, "name": SECRET_NAME}
        self.client.put(SECRET, {"metadata": metadata, "stringData": fields})

    def place(self, domain: str) -> External:
        """A zone of the external named."""
        return External(NameServer("site", "outside", EXTERNAL_IP, names.PORT_DNS), domain, self.bind.key)


@pytest.fixture(scope="module")
def spaces() -> Iterator[dict[str, Namespace]]:
    """The network; the operator's namespace is the switch between rack and external named."""
    with namespaces("client", "rack", "operator", "outside") as made:
        connect(made["client"], "prov0", made["rack"], "prov0")
        give(made["client"], "prov0", f"{CLIENT}/24")
        give(made["rack"], "prov0", f"{RACK_PROV}/24")
        made["operator"].ip("link", "add", "lan0", "type", "bridge")
        give(made["operator"], "lan0", f"{OPERATOR_IP}/24")
        made["operator"].ip("link", "set", "lan0", "up")
        for name, address in (("rack", RACK_IP), ("outside", EXTERNAL_IP)):
            connect(made["operator"], f"to-{name}", made[name], "fab0")
            made["operator"].ip("link", "set", f"to-{name}", "master", "lan0")
            give(made[name], "fab0", f"{address}/24")
        yield made


@pytest.fixture
def stage(image_root: Path, tmp_path: Path, spaces: dict[str, Namespace]) -> Iterator[Stage]:
    """A fresh external named with a right Secret; nothing is published yet."""
    bind = ExternalBind(image_root, tmp_path / "outside", spaces["outside"], EXTERNAL_IP)
    client, settings = FakeClient(), Settings("rackrelay/dataplane:test", (gen.NAMESPACE,))

    async def never(key: object) -> None:
        raise AssertionError(f"nobody works here: {key}")

    with ExitStack() as stack:
        stack.callback(bind.pod.destroy)
        bind.create()
        agents: Any = None
        context = Context(settings, client, Cache(parsers()), Queue(never), RackHealth(), agents, KINDS)
        stage = Stage(spaces["operator"], bind, context, client)
        context.cache.upsert(REGION, client.put(REGION, gen.body("RegionController", "demo", SPEC)))
        stage.put_key(bind.key)
        yield stage


def test_zone_is_published_and_changed_among_what_its_owner_keeps(stage: Stage) -> None:
    found = stage.publish(2, 3)
    assert (found.status, found.reason) == (True, "Published")
    assert stage.bind.ask(SUBNET_NAME) == ["10.10.0.2", "10.10.0.3"]
    stage.publish(3, ttl_s=30)
    assert stage.bind.ask(SUBNET_NAME) == ["10.10.0.3"]
    reading = stage.run(read_external(stage.place(DOMAIN)))
    assert {key: rrset.ttl_s for key, rrset in reading.content.items()} == {("10-10-0-0--24", "A"): 30}
    assert stage.bind.ask(f"printer.{DOMAIN}") == ["192.168.77.99"]
    assert stage.bind.ask(DOMAIN, "NS") == [f"ns1.{DOMAIN}."]
    (soa,) = stage.bind.ask(DOMAIN, "SOA")
    assert soa.split()[:2] == [f"ns1.{DOMAIN}.", "hostmaster.corp.example."]
    assert soa.split()[2:] == [str(outside.OWNERS_SERIAL + 2), "7200", "900", "1209600", "300"]


def test_nothing_is_sent_while_nothing_changes(stage: Stage) -> None:
    stage.publish(2, looks=4)
    assert stage.bind.ask(DOMAIN, "SOA")[0].split()[2] == str(outside.OWNERS_SERIAL + 1)


def test_what_somebody_else_did_to_our_names_is_put_right_and_the_rest_left_alone(stage: Stage) -> None:
    stage.publish(2, 3, looks=2)
    update = dns.update.UpdateMessage(DOMAIN, keyring=stage.bind.key.tsig)
    update.delete("10-10-0-0--24", "A")
    update.add("10-10-0-0--24", 60, "CNAME", "elsewhere.example.")
    update.add("10-66-0-0--24", 60, "A", "10.66.0.66")
    update.add("scanner", 60, "A", "10.66.0.67")
    with stage.space.inside():
        assert dns.query.tcp(update, EXTERNAL_IP, timeout=5).rcode() == dns.rcode.NOERROR
    found = stage.publish(2, 3)
    assert (found.status, found.reason) == (False, "ContentDiffers")
    assert "10-10-0-0--24, 10-66-0-0--24" in found.message
    assert stage.bind.ask(SUBNET_NAME) == ["10.10.0.2", "10.10.0.3"]
    assert stage.bind.ask(f"10-66-0-0--24.{DOMAIN}") == []
    assert stage.bind.ask(f"scanner.{DOMAIN}") == ["10.66.0.67"]
    assert stage.publish(2, 3).reason == "Published"


def test_server_that_was_down_gets_what_it_missed(stage: Stage) -> None:
    stage.publish(2, 3)
    stage.bind.stop()
    found = stage.publish(3)
    assert (found.status, found.reason) == (False, "Unreachable")
    assert EXTERNAL_IP in found.message
    stage.bind.start()
    assert stage.bind.ask(SUBNET_NAME) == ["10.10.0.2", "10.10.0.3"]
    assert stage.publish(3).reason == "Published"
    assert stage.bind.ask(SUBNET_NAME) == ["10.10.0.3"]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        pytest.param({"secret": base64.b64encode(b"another").decode()}, "another secret", id="secret"),
        pytest.param({"name": "nobody"}, 'no key "nobody"', id="name"),
        pytest.param({"algorithm": "hmac-sha256"}, "of algorithm hmac-sha256", id="algorithm"),
    ],
)
def test_wrong_key_is_told_with_its_secret_until_that_is_right(stage: Stage, changes: Any, says: str) -> None:
    stage.put_key(dataclasses.replace(stage.bind.key, **changes))
    found = stage.publish(2)
    assert (found.status, found.reason) == (False, "KeyRefused")
    assert says in found.message
    assert f"Secret {SECRET_NAME}" in found.message
    assert stage.bind.key.secret not in found.message
    assert stage.bind.ask(SUBNET_NAME) == []
    stage.put_key(stage.bind.key)
    assert stage.publish(2).reason == "Published"


@pytest.mark.parametrize(
    ("domain", "reason", "says"),
    [
        (outside.NO_TRANSFER, "TransferRefused", "REFUSED"),
        (outside.NO_UPDATE, "UpdateRefused", "REFUSED"),
        ("unknown.example", "ZoneMissing", "unknown.example"),
    ],
)
def test_zone_that_is_not_set_up_as_it_should_be(stage: Stage, domain: str, reason: str, says: str) -> None:
    place, wanted = stage.place(domain), Zone(domain, 15, 1, {("10-10-0-0--24", "A"): ("10.10.0.2",)})

    async def publish() -> None:
        await edit_external(place, await read_external(place), wanted, bool)

    with pytest.raises(Unpublished, match=says) as refused:
        stage.run(publish())
    assert refused.value.trouble.reason == reason


def test_zone_that_its_owner_signs_stays_signed(stage: Stage) -> None:
    place = stage.place(outside.SIGNED)

    async def publish(*hosts: int) -> tuple[str, ...]:
        wanted = Zone(place.domain, 15, 1, {("10-10-0-0--24", "A"): tuple(f"10.10.0.{h}" for h in hosts)})
        return await edit_external(place, await read_external(place), wanted, bool)

    for hosts in ((2,), (2, 3), (3,)):
        assert stage.run(publish(*hosts)) == ("10-10-0-0--24",)
        assert stage.run(publish(*hosts)) == ()
    query = dns.message.make_query(f"10-10-0-0--24.{outside.SIGNED}", "A", want_dnssec=True)
    with stage.space.inside():
        answer = dns.query.tcp(query, EXTERNAL_IP, timeout=5)
    assert sorted(rrset.rdtype.name for rrset in answer.answer) == ["A", "RRSIG"]


def test_five_thousand_names_go_in_parts(stage: Stage) -> None:
    place = stage.place(DOMAIN)
    many: dict[tuple[str, str], tuple[str, ...]] = {
        (f"10-{i // 256}-{i % 256}-0--24", "A"): (f"10.{i // 256}.{i % 256}.2",) for i in range(5000)
    }

    async def publish(wanted: Zone) -> int:
        return len(await edit_external(place, await read_external(place), wanted, bool))

    assert stage.run(publish(Zone(DOMAIN, 15, 1, many))) == 5000
    assert stage.bind.ask(f"10-19-135-0--24.{DOMAIN}") == ["10.19.135.2"]
    assert stage.run(publish(Zone(DOMAIN, 15, 1, many))) == 0
    assert stage.run(publish(Zone(DOMAIN, 15, 2))) == 5000
    assert stage.bind.ask(f"printer.{DOMAIN}") == ["192.168.77.99"]


def test_rack_forwards_to_it_and_serves_its_own_names_without_it(
    stage: Stage, image_root: Path, tmp_path: Path, spaces: dict[str, Namespace]
) -> None:
    region = dataclasses.replace(
        SITE_REGION, forwarders=(), external_dns=ExternalDNS((EXTERNAL_IP,), (EXTERNAL_IP,), SECRET_NAME)
    )
    rack = Pod(image_root, tmp_path / "rack", spaces["rack"], "rack1", RACK_IP)

    def ask(name: str) -> dns.message.Message:
        with spaces["client"].inside():
            return dns.query.udp(dns.message.make_query(name, "A"), RACK_PROV, timeout=5)

    def addresses(name: str) -> list[str]:
        return sorted(rdata.to_text() for rrset in ask(name).answer for rdata in rrset)

    try:
        key = TsigKey(names.tsig_key("site", "demo"), base64.b64encode(b"the rack's own key").decode())
        block = f'key "{key.name}" {{ algorithm hmac-sha256; secret "{key.secret}"; }};\n'
        rack.create(b"agents' key", {names.KEY_TSIG_NAME: key.name, "secret": key.secret, names.tsig_file(1): block})
        rack.publish(ZONE_SERIAL, ZONE_TEXT)
        rack.configure(render_rack(RackInputs(region, SUBNETS)))
        rack.start("named")
        wait_until(
            lambda: _holds(lambda: addresses("printer.corp.example.") == ["192.168.77.99"]), "forwards", rack.log
        )
        stage.bind.stop()
        assert addresses(SUBNET_NAME) == [RACK_PROV]
        assert addresses("printer.corp.example.") == ["192.168.77.99"], "what is in the cache stays"
        assert ask("ns1.corp.example.").rcode() == dns.rcode.SERVFAIL
    finally:
        rack.destroy()


def _holds(look: Any) -> bool:
    try:
        return bool(look())
    except (OSError, dns.exception.DNSException):
        return False
