"""The packet rules of nodes, checked by nft itself."""

import os
import subprocess

import pytest

from lab.errors import LabError
from lab.network import hardware_address, host_end, interfaces, loss_rules, node_rules, port_name
from lab.site import Site, check_name, hosts
from lab.topology import DEFAULT, Link, load_topology

SITE = Site("rr", load_topology(DEFAULT))


def test_rack_drops_what_machines_send_through_it() -> None:
    rules = node_rules(SITE, SITE.topology.node("rack2"))
    assert 'iifname { "prov0", "prov1" } fib daddr . iif type != { local, broadcast, multicast } drop' in rules
    assert 'hook forward priority filter; iifname { "prov0", "prov1" } drop' in rules
    assert "masquerade" not in rules


def test_region_hides_its_pods_behind_its_uplink() -> None:
    rules = node_rules(SITE, SITE.topology.node("region1"))
    assert 'oifname { "wan0" } masquerade' in rules
    assert 'iifname { "wan0" } ct state new drop' in rules


@pytest.mark.skipif(os.geteuid() != 0, reason="nft checks rules as root only")
@pytest.mark.parametrize("node", SITE.topology.nodes, ids=lambda node: node.name)
def test_nft_accepts_the_rules(node) -> None:  # type: ignore[no-untyped-def]
    check = ["unshare", "--net", "nft", "--check", "--file", "-"]
    done = subprocess.run(check, input=node_rules(SITE, node), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="nft checks rules as root only")
@pytest.mark.parametrize("percent", [0, 0.001, 50, 99.985, 99.995, 100])
def test_nft_accepts_every_share(percent: float) -> None:
    check = ["unshare", "--net", "nft", "--check", "--file", "-"]
    done = subprocess.run(check, input=loss_rules("lo", percent), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_host_end_skips_duplicate_address_detection_for_ipv6() -> None:
    link = Link("prov0", "prov-a", ("10.10.0.2/24", "fd00:10::2/64"))
    assert host_end(link) == [
        "addr add 10.10.0.2/24 dev prov0",
        "addr add fd00:10::2/64 dev prov0 nodad",
        "link set prov0 up",
    ]


def test_link_names_fit_the_kernel() -> None:
    for node in SITE.topology.nodes:
        assert all(len(port_name(node.name, name)) <= 15 for name in interfaces(node.links))
    assert len(port_name("x" * 8, "y" * 6)) == 15


def test_every_namespace_carries_the_labs_name() -> None:
    assert {SITE.netns(host) for host in hosts(SITE.topology)} >= {"rr-fabric", "rr-api", "rr-rack1", "rr-m2", "rr-wan"}


@pytest.mark.parametrize("name", ["", "Lab", "a-b", "../x", "waytoolong"])
def test_bad_lab_names(name: str) -> None:
    with pytest.raises(LabError, match="a lab's name is"):
        check_name(name)


def test_hardware_addresses_are_each_interfaces_own() -> None:
    links = [(node.name, link) for node in SITE.topology.nodes for link in interfaces(node.links)]
    addresses = {hardware_address(*link) for link in links}
    assert len(addresses) == len(links)
    # Locally administered, and of one station.
    assert all(address.startswith("02:") and len(address) == 17 for address in addresses)
