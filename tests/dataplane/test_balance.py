"""How clients spread over racks: what named answers first, and what glibc on a machine makes of it.

The client's Debian is that of the lab's machines; named and its configuration are those of a rack.
"""

import json
import os
import random
import socket
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address, ip_network
from pathlib import Path

import dns.message
import dns.rdatatype
import pytest

from lab.debian import machine_tree
from rackrelay import names
from rackrelay.addresses import Network
from rackrelay.model.meta import Meta
from rackrelay.model.subnet import Subnet
from rackrelay.render.inputs import RackInputs
from rackrelay.render.rack import render_rack
from rackrelay.zone.balance import address_shares
from tests.dataplane import site as place
from tests.dataplane.netns import Namespace, connect, give, namespaces
from tests.dataplane.pod import Pod, wait_until

pytestmark = pytest.mark.dataplane

# Subnet -> the rack's address there, which is the machines' name server and, where racks are elsewhere, their router.
SERVERS = {
    "10.10.0.0/24": "10.10.0.250",
    "10.20.0.0/24": "10.20.0.250",
    "fd00:10::/64": "fd00:10::fa",
    "fd00:20::/64": "fd00:20::fa",
}
# The name that rack.<domain> stands for on 10.10.0.0/24.
OWN = names.subnet_label(ip_network("10.10.0.0/24"))
RACK = names.rack_dns_name(place.DOMAIN).removesuffix(f".{place.DOMAIN}")
RACKS = {
    "two": ("10.10.0.2", "10.10.0.3"),
    "three": ("10.10.0.4", "10.10.0.5", "10.10.0.6"),
    "five": tuple(f"10.10.0.{i}" for i in range(8, 13)),
    "apart": ("10.10.0.10", "10.10.0.40", "10.10.0.200"),
    "uneven": ("10.10.0.2", "10.10.0.3", "10.10.0.9", "10.10.0.130"),
    "six": ("fd00:10::2", "fd00:10::3"),
    OWN: ("10.10.0.14", "10.10.0.15", "10.10.0.16"),
    "six-apart": ("fd00:10::2", "fd00:10::4000:0:0:2", "fd00:10::8000:0:0:2", "fd00:28::2"),
}
RACK_MAC = "02:00:00:00:00:fa"
QUERIES = 10_000
ADDRESSES = (dns.rdatatype.A, dns.rdatatype.AAAA)
PROGRAM = Path(__file__).with_name("first_choice.py")

# The machine's tree, with nothing of its own but the name server.
_ENTER = """
set -e
mount --make-rprivate /
mount --bind "$TREE" "$ROOT"
mount --bind "$RESOLV_CONF" "$ROOT/etc/resolv.conf"
mount -o remount,bind,ro "$ROOT"
exec chroot "$ROOT" python3 -c "$PROGRAM"
"""


@dataclass(frozen=True)
class Bench:
    """A machine, a rack with nothing but its agent and named, and a cable between them."""

    machine: Namespace
    folder: Path


@pytest.fixture(scope="module")
def bench(image_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    folder = tmp_path_factory.mktemp("balance")
    with namespaces("machine", "rack") as spaces:
        connect(spaces["machine"], "prov0", spaces["rack"], "prov0")
        spaces["rack"].ip("link", "set", "prov0", "address", RACK_MAC)
        for cidr, server in SERVERS.items():
            give(spaces["rack"], "prov0", f"{server}/{ip_network(cidr).prefixlen}")
        rack = Pod(image_root, folder / "rack", spaces["rack"], "rack1", SERVERS["10.10.0.0/24"])
        try:
            rack.create(b"key", _tsig_files())
            rack.publish(place.ZONE_SERIAL, _zone())
            subnets = tuple(Subnet(Meta("site", f"s{i}"), ip_network(cidr)) for i, cidr in enumerate(SERVERS))
            rack.configure(render_rack(RackInputs(place.REGION, subnets, place.RACK_INPUTS.endpoints)))
            rack.start("named")
            wait_until(lambda: _answers(spaces["machine"]), "named answers", lambda: rack.log("named"))
            yield Bench(spaces["machine"], folder)
        finally:
            rack.destroy()


def _tsig_files() -> dict[str, str]:
    name = names.tsig_key(place.REGION.meta.namespace, place.REGION.meta.name)
    block = f'key "{name}" {{ algorithm hmac-sha256; secret "c2VjcmV0"; }};\n'
    return {names.KEY_TSIG_NAME: name, names.KEY_TSIG_SECRET: "c2VjcmV0", names.tsig_file(1): block}


def _zone() -> str:
    """The published zone with a name for each set of racks."""
    head = place.ZONE_TEXT.splitlines()[:2]
    records = [
        f"{name}.{place.DOMAIN}. 15 IN {'AAAA' if ':' in address else 'A'} {address}"
        for name, addresses in RACKS.items()
        for address in addresses
    ]
    return "\n".join([*head, *records, ""])


@contextmanager
def _asking(machine: Namespace) -> Iterator[socket.socket]:
    """A socket of the machine's that speaks with the rack's named."""
    server = SERVERS["10.10.0.0/24"]
    give(machine, "prov0", "10.10.0.101/24")
    with machine.inside():
        client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        client.settimeout(5)
        client.connect((server, names.PORT_DNS))
        yield client
    finally:
        client.close()
        machine.ip("address", "flush", "dev", "prov0", "scope", "global")


def _query(name: str, kind: str = "A") -> bytes:
    return dns.message.make_query(f"{name}.{place.DOMAIN}", kind).to_wire()


def _answers(machine: Namespace) -> bool:
    with _asking(machine) as client, suppress(OSError):
        client.send(_query("two"))
        # A named that has not loaded its zone yet says SERVFAIL.
        return bool(addresses_in(client.recv(512)[2:]))
    return False


@pytest.mark.parametrize(
    ("name", "kind", "racks"),
    [
        pytest.param("two", "A", RACKS["two"], id="two"),
        pytest.param("three", "A", RACKS["three"], id="three"),
        pytest.param("five", "A", RACKS["five"], id="five"),
        pytest.param("six", "AAAA", RACKS["six"], id="two by IPv6"),
        pytest.param("six-apart", "AAAA", RACKS["six-apart"], id="four by IPv6"),
        pytest.param(RACK, "A", RACKS[OWN], id="the same name everywhere"),
    ],
)
def test_named_puts_each_address_first_about_as_often(
    bench: Bench, name: str, kind: str, racks: tuple[str, ...]
) -> None:
    with _asking(bench.machine) as client:
        first = ask_often(client, _query(name, kind), len(racks))
    assert set(first) == set(racks)
    assert max(first.values()) <= 1.1 * QUERIES / len(racks), first


def ask_often(client: socket.socket, query: bytes, racks: int) -> Counter[str]:
    """Address -> how often it came first. A few queries are under way at a time."""
    found: Counter[str] = Counter()
    in_flight = 20
    for start in range(0, QUERIES, in_flight):
        for number in range(start, start + in_flight):
            client.send(number.to_bytes(2, "big") + query[2:])
        for _ in range(in_flight):
            order = addresses_in(client.recv(512)[2:])
            assert len(order) == racks, order
            found[order[0]] += 1
    return found


@lru_cache(maxsize=4096)
def addresses_in(wire: bytes) -> tuple[str, ...]:
    """The addresses of an answer, in its order. `wire` lacks the message's first two bytes, which always differ."""
    message = dns.message.from_wire(b"\0\0" + wire, one_rr_per_rrset=True)
    return tuple(str(rdata.address) for rrset in message.answer for rdata in rrset if rdata.rdtype in ADDRESSES)


# As many lookups as it takes for four standard deviations to be less than the 5% that are allowed.
@pytest.mark.parametrize(
    ("name", "cidr", "lookups"),
    [
        pytest.param("two", "10.10.0.0/24", 30, id="side by side"),
        pytest.param("apart", "10.10.0.0/24", 20, id="apart"),
        pytest.param("uneven", "10.10.0.0/24", 45, id="three near and one far"),
        pytest.param("six", "fd00:10::/64", 120, id="IPv6 side by side"),
        pytest.param("six-apart", "fd00:10::/64", 10, id="IPv6 apart"),
        pytest.param("six-apart", "fd00:20::/64", 2, id="IPv6 behind a router"),
    ],
)
def test_machines_choose_as_computed(bench: Bench, name: str, cidr: str, lookups: int) -> None:
    network = ip_network(cidr)
    expected = address_shares(network, [ip_address(a) for a in RACKS[name]])
    measured = choose_often(bench, name, network, lookups)
    for address, share in expected.items():
        assert abs(measured[str(address)] - share) <= 0.05 / len(expected), (measured, expected)


def test_machines_behind_a_router_choose_evenly(bench: Bench) -> None:
    measured = choose_often(bench, "apart", ip_network("10.20.0.0/24"), 20)
    assert_nearly_even(measured)


def test_machines_without_ipv6_choose_evenly(bench: Bench) -> None:
    with _no_ipv6(bench.machine):
        measured = choose_often(bench, "apart", ip_network("10.10.0.0/24"), 20)
    assert_nearly_even(measured)


def assert_nearly_even(measured: dict[str, float]) -> None:
    """Each share is within 10% of fair: far from the half that one of these racks gets otherwise."""
    assert all(abs(share * len(measured) - 1) <= 0.1 for share in measured.values()), measured


def choose_often(bench: Bench, name: str, network: Network, lookups: int) -> dict[str, float]:
    """Address -> share of the lookups in which glibc put it first, on machines all over the network."""
    server = SERVERS[str(network)]
    (bench.folder / "root").mkdir(exist_ok=True)
    (bench.folder / "resolv.conf").write_text(f"nameserver {server}\n")
    task = {
        "link": "prov0",
        "name": f"{name}.{place.DOMAIN}",
        "lookups": lookups,
        "machines": [_become(machine, network.prefixlen, server) for machine in _machines(network, server)],
    }
    environment = {
        "PATH": os.environ["PATH"],
        "TREE": str(machine_tree()),
        "ROOT": str(bench.folder / "root"),
        "RESOLV_CONF": str(bench.folder / "resolv.conf"),
        "PROGRAM": PROGRAM.read_text(),
    }
    command = ["nsenter", f"--net={bench.machine.path}", "unshare", "--mount", "sh", "-c", _ENTER]
    done = subprocess.run(command, env=environment, input=json.dumps(task), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, int] = json.loads(done.stdout)
    return {address: found.get(address, 0) / sum(found.values()) for address in RACKS[name]}


def _machines(network: Network, server: str) -> list[str]:
    """Every address of a /24, one in each of 64 equal parts of an IPv6 network; not those that no machine can have."""
    chosen = random.Random(1)
    parts = 256 if network.version == 4 else 64
    size = network.num_addresses // parts
    found = [network[i * size + chosen.randrange(size)] for i in range(parts)]
    impossible = {network.network_address, network.broadcast_address, ip_address(server)}
    return [str(address) for address in found if address not in impossible]


def _become(machine: str, prefix: int, router: str) -> list[str]:
    extra = " nodad" if ":" in machine else ""
    return [
        f"address add {machine}/{prefix} dev prov0{extra}",
        f"route replace default via {router}",
        # Neighbour discovery would wait for an answer to the address that the machine had before.
        f"neighbour replace {router} lladdr {RACK_MAC} dev prov0 nud permanent",
    ]


@contextmanager
def _no_ipv6(machine: Namespace) -> Iterator[None]:
    key = "net.ipv6.conf.all.disable_ipv6"
    machine.sysctl(key, "1")
    try:
        yield
    finally:
        machine.sysctl(key, "0")
