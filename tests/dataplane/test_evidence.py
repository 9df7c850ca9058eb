"""Who is alive, as racks and a region see it among real name servers: heartbeats, peers, and the zone that is pulled.

rack1 -- prov -- rack2, and each with a cable of its own to the region. A second region is known and never answers.
"""

import asyncio
import base64
import secrets
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from ipaddress import ip_network
from pathlib import Path

import aiohttp
import dns.message
import dns.query
import dns.rcode
import dns.tsigkeyring
import dns.update
import pytest

from rackrelay import names
from rackrelay.errors import NotReady
from rackrelay.model.observed import AgentStatus, Cursor, Heard, RackBeat
from rackrelay.model.region import RegionEndpoint
from rackrelay.probe.agents import fetch_status
from rackrelay.probe.heard import fetch_heard
from rackrelay.render.inputs import RackInputs, RegionInputs
from rackrelay.render.rack import render_rack
from rackrelay.render.region import render_region
from tests.dataplane.netns import Namespace, connect, give, namespaces
from tests.dataplane.pod import Pod, wait_until
from tests.dataplane.site import DOMAIN, REGION, SUBNET6_NAME, SUBNET_NAME, SUBNETS, ZONE_SERIAL

pytestmark = pytest.mark.dataplane

KEY = b"the agents' key"
TSIG_NAME, TSIG_SECRET = names.tsig_key("site", "demo"), base64.b64encode(secrets.token_bytes(32)).decode()
TSIG = {
    names.KEY_TSIG_NAME: TSIG_NAME,
    names.KEY_TSIG_SECRET: TSIG_SECRET,
    names.tsig_file(1): f'key "{TSIG_NAME}" {{ algorithm hmac-sha256; secret "{TSIG_SECRET}"; }};\n',
}
RACK1, RACK2, REGION_IP, NOWHERE = "192.168.77.11", "192.168.78.12", "192.168.77.21", "192.168.99.9"
PROV = {"rack1": ("10.10.0.2", "fd00:10::2"), "rack2": ("10.10.0.3", "fd00:10::3")}
SOA = f"localhost. hostmaster.{DOMAIN}. {{}} 3600 600 604800 1"
ZONE = "\n".join(
    [
        f"{DOMAIN}. 15 IN SOA {SOA.format(ZONE_SERIAL)}",
        f"{DOMAIN}. 15 IN NS localhost.",
        *(f"{SUBNET_NAME}. 15 IN A {four}" for four, _ in PROV.values()),
        *(f"{SUBNET6_NAME}. 15 IN AAAA {six}" for _, six in PROV.values()),
        "",
    ]
)
ENDPOINTS = (RegionEndpoint(0, "demo-region-0", REGION_IP), RegionEndpoint(1, "demo-region-1", NOWHERE))


@dataclass
class Room:
    """Two racks and a region."""

    spaces: dict[str, Namespace]
    rack1: Pod
    rack2: Pod
    region: Pod

    def heard(self, cursor: Cursor | None = None) -> Heard:
        """What the region says it hears, to who stands in its pod."""
        with self.region.namespace.inside():
            return asyncio.run(_fetch(fetch_heard, self.region.ip, cursor or Cursor()))

    def beat(self, node: str) -> RackBeat:
        """What it hears of one rack."""
        return self.heard().racks.get(node, RackBeat(heard=False))

    def status(self, pod: Pod) -> AgentStatus:
        """What an agent says itself."""
        with pod.namespace.inside():
            return asyncio.run(_fetch(fetch_status, pod.ip))

    def sees(self, pod: Pod) -> dict[str, bool]:
        """Which peers a rack hears."""
        return {str(peer.address): peer.heard for peer in self.status(pod).peers}

    def serial(self, pod: Pod) -> int:
        """What its name server serves, 0 when it does not answer."""
        port = names.PORT_DNS if pod.is_rack else names.PORT_REGION_DNS
        with pod.namespace.inside():
            try:
                answer = dns.query.udp(dns.message.make_query(DOMAIN, "SOA"), pod.ip, port=port, timeout=1)
            except OSError:
                return 0
        return int(answer.answer[0][0].serial) if answer.answer else 0

    def update(self, label: str) -> int:
        """A name more in the region's zone, and in no other; the new serial."""
        serial = self.serial(self.region)
        update = dns.update.UpdateMessage(DOMAIN, keyring=dns.tsigkeyring.from_text({TSIG_NAME: TSIG_SECRET}))
        update.replace(label, 15, "A", "10.10.0.2")
        update.replace("@", 15, "SOA", SOA.format(serial + 1))
        with self.region.namespace.inside():
            answer = dns.query.udp(update, self.region.ip, port=names.PORT_REGION_DNS, timeout=5)
        assert answer.rcode() == dns.rcode.NOERROR
        return serial + 1


@pytest.fixture(scope="module")
def room(image_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    """Running, and everybody hears everybody; each test leaves it so."""
    folder = tmp_path_factory.mktemp("room")
    with ExitStack() as stack:
        spaces = stack.enter_context(namespaces("rack1", "rack2", "region"))
        _lay_cables(spaces)
        pods = {
            "rack1": Pod(image_root, folder / "rack1", spaces["rack1"], "rack1", RACK1),
            "rack2": Pod(image_root, folder / "rack2", spaces["rack2"], "rack2", RACK2),
            "region": Pod(image_root, folder / "region", spaces["region"], "region1", REGION_IP, is_rack=False),
        }
        for pod in pods.values():
            stack.callback(pod.destroy)
            pod.create(KEY, TSIG)
            pod.publish(ZONE_SERIAL, ZONE)
        racks = tuple(ip_network(f"{address}/32") for address in (RACK1, RACK2))
        pods["region"].configure(render_region(RegionInputs(REGION, SUBNETS, racks)))
        for name in ("rack1", "rack2"):
            pods[name].configure(render_rack(RackInputs(replace(REGION, replicas=2), SUBNETS, ENDPOINTS)))
        for pod in pods.values():
            pod.start("named")
        room = Room(spaces, **pods)
        _wait_until_well(room)
        yield room


@pytest.fixture(autouse=True)
def _leave_it_well(room: Room) -> Iterator[None]:
    yield
    _wait_until_well(room)


def _wait_until_well(room: Room) -> None:
    def is_well() -> bool:
        try:
            beats = [room.beat(node) for node in PROV]
            return all(b.heard and b.status and _hears_all(b.status) for b in beats)
        except NotReady:
            return False

    def explain() -> str:
        return "\n".join(pod.log() for pod in (room.rack1, room.rack2, room.region))

    wait_until(is_well, "the region hears both racks and they hear each other", explain)


def _hears_all(status: AgentStatus) -> bool:
    return len(status.peers) == 2 and all(peer.heard for peer in status.peers)


def _lay_cables(spaces: dict[str, Namespace]) -> None:
    rack1, rack2, region = spaces["rack1"], spaces["rack2"], spaces["region"]
    connect(rack1, "prov0", rack2, "prov0")
    connect(rack1, "fab0", region, "fab0")
    connect(rack2, "fab0", region, "fab1")
    for name in PROV:
        four, six = PROV[name]
        give(spaces[name], "prov0", f"{four}/24", f"{six}/64")
    give(rack1, "fab0", f"{RACK1}/24")
    give(rack2, "fab0", f"{RACK2}/24")
    give(region, "fab0", f"{REGION_IP}/24")
    give(region, "fab1", "192.168.78.21/24")
    # The region forwards nothing: what goes to the second replica vanishes.
    rack1.ip("route", "add", "default", "via", REGION_IP)
    rack2.ip("route", "add", "default", "via", "192.168.78.21")
    region.sysctl("net.ipv4.ip_unprivileged_port_start", "0")
    region.sysctl("net.ipv4.ip_forward", "0")


async def _fetch(fetch: object, address: str, *more: object):  # type: ignore[no-untyped-def]
    async with aiohttp.ClientSession() as session:
        return await fetch(session, address, KEY, *more, time.time)  # type: ignore[operator]


def took(holds: object, what: str) -> float:
    """Seconds until it is so; shown when the test is run with -rP."""
    begin = time.monotonic()
    wait_until(holds, what, timeout_s=15.0)
    passed = time.monotonic() - begin
    print(f"{what}: {passed:.2f} s")
    return passed


def test_region_hears_both_racks_with_what_they_say(room: Room) -> None:
    heard = room.heard()
    assert heard.full
    assert sorted(heard.racks) == ["rack1", "rack2"]
    status = heard.racks["rack1"].status
    assert status == room.status(room.rack1)
    assert heard.racks["rack1"].serial == room.serial(room.rack1)


def test_poll_without_news_waits_and_says_nothing(room: Room) -> None:
    cursor = room.heard().cursor
    begin = time.monotonic()
    again = room.heard(cursor)
    if again.cursor == cursor:
        assert time.monotonic() - begin > 1.5
        assert not again.racks
    assert not again.full


def test_killed_agent_is_not_heard_at_once_and_heard_again_when_back(room: Room) -> None:
    cursor = room.heard().cursor
    room.rack1.stop_one("agent", kill=True)
    assert took(lambda: not room.beat("rack1").heard, "killed agent is missed") < 5
    assert not room.heard(cursor).racks["rack1"].heard
    room.rack1.start_one("agent")
    took(lambda: room.beat("rack1").heard, "started agent is heard")


def test_hung_agent_is_missed(room: Room) -> None:
    room.rack1.signal("agent", signal.SIGSTOP)
    assert took(lambda: not room.beat("rack1").heard, "hung agent is missed") < 5
    assert room.beat("rack2").heard
    room.rack1.signal("agent", signal.SIGCONT)


def test_rack_that_is_cut_off_is_missed_and_comes_back(room: Room) -> None:
    room.spaces["rack1"].ip("link", "set", "fab0", "down")
    try:
        assert took(lambda: not room.beat("rack1").heard, "cut rack is missed") < 5
        assert room.beat("rack2").heard
    finally:
        room.spaces["rack1"].ip("link", "set", "fab0", "up")
        room.spaces["rack1"].ip("route", "add", "default", "via", REGION_IP)
    took(lambda: room.beat("rack1").heard, "rack is heard again after its cable was mended")


def test_region_that_restarts_hears_all_again_and_says_everything_anew(room: Room) -> None:
    before = room.heard().cursor
    room.region.stop_one("agent", kill=True)
    room.region.start_one("agent")

    def is_back() -> bool:
        try:
            return all(room.beat(node).heard for node in PROV)
        except NotReady:
            return False

    took(is_back, "restarted region hears all")
    after = room.heard(before)
    assert after.full
    assert after.epoch != before.epoch


def test_racks_see_each_other_until_an_interface_goes_down(room: Room) -> None:
    assert room.sees(room.rack1) == dict.fromkeys(PROV["rack2"], True)
    assert room.sees(room.rack2) == dict.fromkeys(PROV["rack1"], True)
    room.spaces["rack2"].ip("link", "set", "prov0", "down")
    try:
        took(lambda: not any(room.sees(room.rack1).values()), "rack1 misses rack2")
        took(lambda: not any(room.sees(room.rack2).values()), "rack2 misses rack1")
        assert room.beat("rack1").heard
        assert room.beat("rack2").heard
        took(lambda: _unheard(room.beat("rack1")) == 2, "the region is told")
    finally:
        room.spaces["rack2"].ip("link", "set", "prov0", "up")
        give(room.spaces["rack2"], "prov0", f"{PROV['rack2'][1]}/64")
    took(lambda: all(room.sees(room.rack1).values()), "rack1 hears rack2 again")


def test_peer_whose_named_is_dead_is_missed(room: Room) -> None:
    room.rack2.stop_one("named", kill=True)
    took(lambda: not any(room.sees(room.rack1).values()), "rack1 misses rack2's named")
    assert room.beat("rack2").heard
    wait_until(lambda: room.beat("rack2").serial is None, "the region knows that rack2 serves no zone")
    room.rack2.start_one("named")


def _unheard(beat: RackBeat) -> int:
    return sum(not peer.heard for peer in beat.status.peers) if beat.status else 0


def test_rack_that_nobody_updates_pulls_the_zone_by_itself(room: Room) -> None:
    serial = room.update("pulled")
    for rack in (room.rack1, room.rack2):
        took(partial(lambda rack: room.serial(rack) == serial, rack), f"{rack.node} has the new zone")
        with rack.namespace.inside():
            answer = dns.query.udp(dns.message.make_query(f"pulled.{DOMAIN}", "A"), rack.ip, timeout=2)
        assert answer.answer[0][0].to_text() == "10.10.0.2"
    wait_until(lambda: room.beat("rack1").serial == serial, "the region hears of it")


def test_rack_that_was_cut_off_pulls_all_that_it_missed(room: Room) -> None:
    room.rack1.signal("agent", signal.SIGSTOP)
    for label in ("missed-1", "missed-2", "missed-3"):
        serial = room.update(label)
    assert room.serial(room.rack1) < serial
    room.rack1.signal("agent", signal.SIGCONT)
    took(lambda: room.serial(room.rack1) == serial, "rack1 has caught up")


def test_agent_stays_small(room: Room) -> None:
    for pod in (room.rack1, room.region):
        fields = dict(
            line.split(":", 1) for line in pod._root_file(f"/proc/{pod.pid('agent')}/status").read_text().splitlines()
        )
        kilobytes = int(fields["VmRSS"].split()[0])
        print(f"agent of {pod.node}: {kilobytes} kB")
        assert kilobytes < 60_000
