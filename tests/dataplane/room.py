"""Two racks and a region that hear each other, with real name servers and agents.

rack1 -- prov -- rack2, and each with a cable of its own to the region. A second region is known and never answers.
"""

import asyncio
import base64
import secrets
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from ipaddress import ip_network
from pathlib import Path

import aiohttp
import dns.message
import dns.query
import dns.rcode
import dns.tsigkeyring
import dns.update

from rackrelay import names
from rackrelay.agents.heartbeats import fetch_heard
from rackrelay.agents.requests import Asker
from rackrelay.agents.status import fetch_status
from rackrelay.errors import NotReady
from rackrelay.model.detection import FailureDetection
from rackrelay.model.region import RegionEndpoint
from rackrelay.protocol.heard_document import Cursor, Heard, HeardRack
from rackrelay.protocol.status_document import AgentStatus
from rackrelay.render.inputs import RackInputs, RegionInputs
from rackrelay.render.rack import render_rack
from rackrelay.render.region import render_region
from tests.dataplane.netns import Namespace, connect, give, namespaces
from tests.dataplane.pod import Pod, wait_until
from tests.dataplane.site import DOMAIN, REGION, SUBNET6_NAME, SUBNET_NAME, SUBNETS, ZONE_SERIAL

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

    def configure_racks(self, detection: FailureDetection) -> None:
        """Mount the racks' configuration, with this pace."""
        region = replace(REGION, replicas=2, detection=detection)
        for pod in (self.rack1, self.rack2):
            pod.configure(render_rack(RackInputs(region, SUBNETS, ENDPOINTS)))

    def configure_region(self, detection: FailureDetection) -> None:
        """Mount the region's configuration, with this pace."""
        racks = tuple(ip_network(f"{address}/32") for address in (RACK1, RACK2))
        self.region.configure(render_region(RegionInputs(replace(REGION, detection=detection), SUBNETS, racks)))

    def wait_until_applied(self) -> None:
        """Every agent has read what is mounted."""
        for pod in (self.rack1, self.rack2, self.region):
            wait_until(lambda pod=pod: self.status(pod).config_hash == pod.configured, "configuration is read", pod.log)

    def wait_until_well(self) -> None:
        """The region hears both racks, and they hear each other."""
        wait_until(self._is_well, "the region hears both racks and they hear each other", self._explain)

    def _is_well(self) -> bool:
        try:
            beats = [self.beat(node) for node in PROV]
            return all(b.heard and b.status and _hears_all(b.status) for b in beats)
        except NotReady:
            return False

    def _explain(self) -> str:
        return "\n".join(pod.log() for pod in (self.rack1, self.rack2, self.region))

    def heard(self, cursor: Cursor | None = None) -> Heard:
        """What the region says it hears, to who stands in its pod."""
        with self.region.namespace.inside():
            return asyncio.run(_hear(self.region.ip, cursor or Cursor()))

    def beat(self, node: str) -> HeardRack:
        """What it hears of one rack."""
        return self.heard().racks.get(node, HeardRack(heard=False))

    def status(self, pod: Pod) -> AgentStatus:
        """What an agent says itself."""
        with pod.namespace.inside():
            return asyncio.run(_ask(pod.ip))

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


@contextmanager
def build_room(image_root: Path, folder: Path) -> Iterator[Room]:
    """Running, and everybody hears everybody."""
    with ExitStack() as stack:
        spaces = stack.enter_context(namespaces("rack1", "rack2", "region"))
        _lay_cables(spaces)
        pods = {
            "rack1": Pod(image_root, folder / "rack1", spaces["rack1"], "rack1", RACK1),
            "rack2": Pod(image_root, folder / "rack2", spaces["rack2"], "rack2", RACK2),
            "region": Pod(image_root, folder / "region", spaces["region"], "region1", REGION_IP, is_rack=False),
        }
        room = Room(spaces, **pods)
        for pod in pods.values():
            stack.callback(pod.destroy)
            pod.create(KEY, TSIG)
            pod.publish(ZONE_SERIAL, ZONE)
        room.configure_racks(FailureDetection())
        room.configure_region(FailureDetection())
        for pod in pods.values():
            pod.start("named")
        room.wait_until_well()
        yield room


async def _hear(address: str, cursor: Cursor) -> Heard:
    async with aiohttp.ClientSession() as session:
        return await fetch_heard(Asker(session, KEY, time.time), address, cursor, 2.0)


async def _ask(address: str) -> AgentStatus:
    async with aiohttp.ClientSession() as session:
        return await fetch_status(session, address, KEY, time.time)


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
