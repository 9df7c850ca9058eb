"""Five thousand names at real name servers: they come in parts, laggards catch up, and foreign content goes.

The name servers start as a region's would, from an empty zone; nothing else of a pod runs.
"""

import asyncio
import base64
import secrets
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import dns.exception
import dns.message
import dns.query
import dns.rcode
import dns.tsigkeyring
import dns.update
import pytest

from rackrelay import names
from rackrelay.nameservers.push import Outcome, compare, repair, send_update
from rackrelay.nameservers.server import NameServer
from rackrelay.nameservers.transfer import transfer
from rackrelay.nameservers.update import TsigKey
from rackrelay.render.inputs import RegionInputs
from rackrelay.render.region import render_region
from rackrelay.zone.parts import serials_needed, split_change
from rackrelay.zone.plan import Zone, plan_change
from rackrelay.zone.storage import zone_fields
from tests.dataplane.netns import Namespace, connect, give, namespaces
from tests.dataplane.pod import Pod, wait_until
from tests.dataplane.site import DOMAIN, REGION, SUBNETS

pytestmark = pytest.mark.dataplane

KEY = TsigKey(names.tsig_key("site", "demo"), base64.b64encode(secrets.token_bytes(32)).decode())
TSIG = {
    names.KEY_TSIG_NAME: KEY.name,
    names.KEY_TSIG_SECRET: KEY.secret,
    names.tsig_file(1): f'key "{KEY.name}" {{ algorithm hmac-sha256; secret "{KEY.secret}"; }};\n',
}
ADDRESSES = ("192.168.77.21", "192.168.77.22")
RACKS = (2, 3, 4)
SUBNET_COUNT = 5000


def content(*hosts: int) -> dict[tuple[str, str], tuple[str, ...]]:
    """Five thousand names, each with an address for each host number."""
    nets = [f"10.{i // 256}.{i % 256}" for i in range(SUBNET_COUNT)]
    return {(f"{n.replace('.', '-')}-0--24", "A"): tuple(f"{n}.{h}" for h in hosts) for n in nets}


@dataclass
class Pair:
    """Two name servers; `zone` is what both should have."""

    space: Namespace
    servers: tuple[NameServer, NameServer]
    pods: tuple[Pod, Pod]
    zone: Zone

    def run(self, work: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        """The result of what runs in the network namespace of the operator."""
        with self.space.inside():
            return asyncio.run(work())

    def next(self, rrsets: dict[tuple[str, str], tuple[str, ...]]) -> Zone:
        """The next version, as the operator numbers it."""
        return replace(self.zone, serial=self.zone.serial + serials_needed(self.zone.rrsets, rrsets), rrsets=rrsets)

    def send(self, wanted: Zone, *servers: NameServer) -> dict[NameServer, Outcome]:
        """The outcome of the change from the version before."""
        change = plan_change(self.zone, wanted)
        outcomes: dict[NameServer, Outcome] = self.run(lambda: send_update(change, KEY, servers))
        return outcomes

    def ask(self, server: NameServer, name: str, kind: str = "A") -> list[str]:
        """What a server answers."""
        query = dns.message.make_query(f"{name}.{DOMAIN}" if name else DOMAIN, kind)
        with self.space.inside():
            answer = dns.query.udp(query, server.address, port=server.port, timeout=5)
        return sorted(rdata.to_text() for rrset in answer.answer for rdata in rrset)

    def serial(self, server: NameServer) -> int:
        """The serial that a server answers."""
        return int(self.ask(server, "", "SOA")[0].split()[2])

    def served(self, server: NameServer) -> Zone:
        """All that a server has."""
        zone: Zone = self.run(lambda: transfer(server, DOMAIN, KEY))
        return zone


@pytest.fixture(scope="module")
def pair(image_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """Running, with an empty zone; each test leaves both servers with the same version."""
    with ExitStack() as stack:
        spaces = stack.enter_context(namespaces("operator", "one", "two"))
        pods = []
        for index, (name, address) in enumerate(zip(("one", "two"), ADDRESSES, strict=True)):
            connect(spaces["operator"], f"fab{index}", spaces[name], "fab0")
            give(spaces["operator"], f"fab{index}", f"192.168.77.{index + 1}/32")
            give(spaces[name], "fab0", f"{address}/24")
            route = (f"{address}/32", "dev", f"fab{index}", "src", f"192.168.77.{index + 1}")
            spaces["operator"].ip("route", "add", *route)
            spaces[name].sysctl("net.ipv4.ip_unprivileged_port_start", "0")
            folder = tmp_path_factory.mktemp("large") / name
            pod = Pod(image_root, folder, spaces[name], name, address, is_rack=False)
            stack.callback(pod.destroy)
            pod.create(b"the agents' key", TSIG)
            pod.configure(render_region(RegionInputs(REGION, SUBNETS, (ip_network("192.168.77.0/24"),))))
            pod.start("named")
            pods.append(pod)
        servers = [NameServer("site", p.node, p.ip, names.PORT_REGION_DNS) for p in pods]
        pair = Pair(spaces["operator"], (servers[0], servers[1]), (pods[0], pods[1]), Zone(DOMAIN, 15, 0))
        for server, pod in zip(servers, pods, strict=True):
            wait_until(partial(_answers, pair, server), f"{server.name} answers", partial(pod.log, "named"))
        yield pair


def _answers(pair: Pair, server: NameServer) -> bool:
    try:
        return pair.serial(server) >= 0
    except (OSError, IndexError, dns.exception.DNSException):
        return False


@pytest.fixture
def full(pair: Pair) -> Pair:
    """Both servers have five thousand names."""
    if not pair.zone.rrsets:
        wanted = pair.next(content(*RACKS))
        assert set(pair.send(wanted, *pair.servers).values()) == {Outcome.UPDATED}
        pair.zone = wanted
    return pair


def test_five_thousand_names_come_in_parts_with_exactly_our_serial(pair: Pair) -> None:
    wanted = pair.next(content(*RACKS))
    assert len(split_change(plan_change(pair.zone, wanted))) > 5
    began, busy = time.monotonic(), time.process_time()
    outcomes = pair.send(wanted, *pair.servers)
    print(f"5,000 names: {time.monotonic() - began:.2f} s, {time.process_time() - busy:.2f} s of our CPU")
    assert outcomes == dict.fromkeys(pair.servers, Outcome.UPDATED)
    pair.zone = wanted
    for server in pair.servers:
        assert pair.serial(server) == wanted.serial
        assert pair.ask(server, "10-19-135-0--24") == ["10.19.135.2", "10.19.135.3", "10.19.135.4"]
        assert pair.served(server) == wanted


def test_laggard_catches_up_in_parts(full: Pair) -> None:
    wanted = full.next(content(2, 4))
    good, laggard = full.servers
    assert full.send(wanted, good) == {good: Outcome.UPDATED}
    began = time.monotonic()
    assert full.run(lambda: repair(laggard, wanted, KEY)) is Outcome.UPDATED
    print(f"repair of 5,000 names: {time.monotonic() - began:.2f} s")
    full.zone = wanted
    assert full.served(laggard) == wanted


def test_server_left_between_two_parts_goes_on_from_there(full: Pair) -> None:
    wanted = full.next(content(2, 3))
    good, left = full.servers
    parts = split_change(plan_change(full.zone, wanted))
    for part in parts[:3]:
        assert full.run(partial(send_update, part, KEY, [left])) == {left: Outcome.UPDATED}
    assert full.serial(left) == parts[2].new.serial
    assert full.send(wanted, good) == {good: Outcome.UPDATED}
    assert full.run(lambda: repair(left, wanted, KEY)) is Outcome.UPDATED
    full.zone = wanted
    assert full.served(left) == wanted


def test_what_somebody_else_wrote_is_found_and_goes_with_the_next_version(full: Pair) -> None:
    """BIND gives their change the next serial, which the operator may use at the same moment."""
    good, changed = full.servers
    update = dns.update.UpdateMessage(DOMAIN, keyring=dns.tsigkeyring.from_text({KEY.name: KEY.secret}))
    update.delete("10-0-2-0--24", "A")
    update.replace("10-0-2-0--24", 15, "CNAME", "elsewhere.example.")
    update.replace("10-0-3-0--24", 60, "A", "10.9.9.9")
    update.replace("odd", 15, "TXT", "hello")
    with full.space.inside():
        answer = dns.query.tcp(update, changed.address, port=changed.port, timeout=5)
    assert answer.rcode() == dns.rcode.NOERROR
    raced = replace(full.zone, serial=full.zone.serial + 1)
    assert full.send(raced, good) == {good: Outcome.UPDATED}
    assert full.serial(changed) == full.serial(good) == raced.serial
    full.zone = raced
    assert full.run(lambda: compare(good, raced, KEY)) is Outcome.UPDATED
    assert full.run(lambda: compare(changed, raced, KEY)) is Outcome.DRIFTED
    wanted = full.next(raced.rrsets)
    assert full.run(lambda: repair(changed, wanted, KEY)) is Outcome.UPDATED
    assert full.send(wanted, good) == {good: Outcome.UPDATED}
    full.zone = wanted
    assert full.served(changed) == full.served(good) == wanted
    assert full.ask(changed, "10-0-2-0--24") == ["10.0.2.2", "10.0.2.3"]


def test_restarted_server_has_all_parts(full: Pair) -> None:
    server, pod = full.servers[1], full.pods[1]
    pod.stop_one("named", kill=True)
    pod.start_one("named")
    wait_until(partial(_answers, full, server), "named is back", partial(pod.log, "named"))
    assert full.served(server) == full.zone


def test_new_pod_starts_from_the_packed_zone(full: Pair, image_root: Path, tmp_path: Path) -> None:
    """What the operator keeps once text would be too long."""
    with namespaces("new") as spaces:
        spaces["new"].sysctl("net.ipv4.ip_unprivileged_port_start", "0")
        spaces["new"].ip("address", "add", "192.168.77.23/32", "dev", "lo")
        pod = Pod(image_root, tmp_path / "new", spaces["new"], "new", "192.168.77.23", is_rack=False)
        try:
            pod.create(b"the agents' key", TSIG)
            pod.publish_fields(zone_fields(full.zone))
            pod.configure(render_region(RegionInputs(REGION, SUBNETS, (ip_network("192.168.77.0/24"),))))
            pod.start("named")
            server = NameServer("site", "new", pod.ip, names.PORT_REGION_DNS)
            new = replace(full, space=spaces["new"])
            wait_until(partial(_answers, new, server), "named answers", pod.log)
            assert new.serial(server) == full.zone.serial
            assert new.served(server) == full.zone
        finally:
            pod.destroy()
