"""Which of a node's addresses count."""

import socket
from typing import Any

import pytest

from rackrelay.agent.checks.addresses import choose_addresses

UP = 0x10000
PERMANENT = 0x80


def link(index: int, name: str, flags: int = UP) -> dict[str, Any]:
    """A link as rtnetlink tells it."""
    return {"index": index, "name": name, "flags": flags}


def address(index: int, text: str, flags: int = PERMANENT, scope: int = 0) -> dict[str, Any]:
    """An address as rtnetlink tells it."""
    family, prefix = (socket.AF_INET6, 64) if ":" in text else (socket.AF_INET, 24)
    return {"index": index, "address": text, "prefix": prefix, "family": family, "flags": flags, "scope": scope}


def chosen(links: list[dict[str, Any]], addresses: list[dict[str, Any]]) -> list[str]:
    """The addresses that count."""
    return [a.address for a in choose_addresses(links, addresses)]


def test_global_addresses_count_static_before_dynamic() -> None:
    links = [link(1, "lo"), link(2, "prov0"), link(3, "eth0")]
    addresses = [
        address(1, "127.0.0.1", scope=254),
        address(3, "192.0.2.9", flags=0),
        address(2, "fd00::2"),
        address(2, "10.0.0.2"),
        address(2, "fe80::2", scope=253),
    ]
    assert chosen(links, addresses) == ["10.0.0.2", "fd00::2", "192.0.2.9"]


def test_dynamic_addresses_do_not_count_where_the_link_has_a_static_one_in_their_network() -> None:
    links = [link(2, "prov0"), link(3, "eth0")]
    addresses = [
        address(2, "10.0.0.50", flags=0),
        address(2, "10.0.0.2"),
        address(2, "fd00::2"),
        address(2, "fd00::50", flags=0),
        address(2, "fd01::50", flags=0),
        address(3, "10.0.0.51", flags=0),
    ]
    assert chosen(links, addresses) == ["10.0.0.2", "fd00::2", "10.0.0.51", "fd01::50"]


def test_link_that_was_made_anew_is_another_one() -> None:
    before, after = (choose_addresses([link(i, "prov0")], [address(i, "10.0.0.2")]) for i in (2, 7))
    assert before != after


@pytest.mark.parametrize("flag", [0x01, 0x08, 0x20, 0x40])
def test_ipv6_addresses_that_are_temporary_failed_deprecated_or_tentative_do_not(flag: int) -> None:
    assert chosen([link(2, "prov0")], [address(2, "fd00::2", flags=PERMANENT | flag)]) == []


def test_second_ipv4_address_of_a_network_counts() -> None:
    assert chosen([link(2, "prov0")], [address(2, "10.0.0.3", flags=PERMANENT | 0x01)]) == ["10.0.0.3"]


@pytest.mark.parametrize("name", ["lo", "docker0", "cni0", "veth12ab", "cali0", "flannel.1", "lxc1", "virbr0", "br-1f"])
def test_links_of_containers_do_not(name: str) -> None:
    assert chosen([link(2, name)], [address(2, "10.0.0.3")]) == []


@pytest.mark.parametrize("name", ["eth0", "br0", "bond0.10", "ens3", "vlan7", "prov0"])
def test_other_links_do(name: str) -> None:
    assert chosen([link(2, name)], [address(2, "10.0.0.3")]) == ["10.0.0.3"]


def test_carrier_is_the_links() -> None:
    up, down = choose_addresses([link(2, "a"), link(3, "b", flags=0)], [address(2, "10.0.0.2"), address(3, "10.0.1.2")])
    assert (up.carrier, down.carrier) == (True, False)
