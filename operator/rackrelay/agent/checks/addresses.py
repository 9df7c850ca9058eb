"""The addresses that machines could reach this node under."""

import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any

# It takes 12.9 MB of each agent for one list; reading rtnetlink by hand is the alternative.
from pyroute2 import AsyncIPRoute

# linux/if_addr.h
_DADFAILED, _DEPRECATED, _TENTATIVE, _PERMANENT = 0x08, 0x20, 0x40, 0x80
# 0x01 marks IPv6 privacy addresses, and IPv4 addresses that are as good as the first of their network.
_UNUSABLE = {
    socket.AF_INET: _DEPRECATED,
    socket.AF_INET6: 0x01 | _DADFAILED | _DEPRECATED | _TENTATIVE,
}
_SCOPE_GLOBAL = 0
_IFF_LOWER_UP = 0x10000

# Links that container and VM software makes: nothing outside this node is behind them.
_VIRTUAL_PREFIXES = (
    "antrea",
    "br-",
    "cali",
    "cilium",
    "cni",
    "docker",
    "dummy",
    "flannel",
    "gke",
    "kube-",
    "lxc",
    "nodelocaldns",
    "podman",
    "tunl",
    "veth",
    "virbr",
    "vxlan.calico",
    "weave",
)


@dataclass(frozen=True)
class NodeAddress:
    """One address of this node. `carrier`: whether its link has one; `index`: which link it is, whatever its name."""

    interface: str
    address: str
    prefix: int
    carrier: bool
    static: bool = True
    index: int = 0

    @property
    def place(self) -> tuple[int, IPv4Network | IPv6Network]:
        """The link, and the network that the address is in there."""
        return self.index, ip_network(f"{self.address}/{self.prefix}", strict=False)


async def list_addresses(route: AsyncIPRoute) -> tuple[NodeAddress, ...]:
    """The node's addresses now, static ones first."""
    links = [_plain(message) async for message in await route.link("dump")]
    addresses = [_plain(message) async for message in await route.addr("dump")]
    return choose_addresses(links, addresses)


def choose_addresses(
    links: Iterable[Mapping[str, Any]], addresses: Iterable[Mapping[str, Any]]
) -> tuple[NodeAddress, ...]:
    """Of rtnetlink(7) messages, the global addresses in use on links that lead somewhere.

    One that DHCP or a router advertisement gave does not count where the same link has a static one in its network.
    """
    by_index = {link["index"]: link for link in links}
    chosen = [
        _node_address(message, by_index[message["index"]])
        for message in addresses
        if message["index"] in by_index and _counts(message, by_index[message["index"]])
    ]
    static = {address.place for address in chosen if address.static}
    chosen = [address for address in chosen if address.static or address.place not in static]
    return tuple(sorted(chosen, key=lambda a: (not a.static, a.interface, ":" in a.address, a.address)))


def _plain(message: Any) -> dict[str, Any]:
    return {
        "index": message["index"],
        "family": message.get("family"),
        "scope": message.get("scope"),
        "prefix": message.get("prefixlen"),
        "flags": message.get_attr("IFA_FLAGS") or message.get("flags") or 0,
        "name": message.get_attr("IFLA_IFNAME"),
        "address": message.get_attr("IFA_LOCAL") or message.get_attr("IFA_ADDRESS"),
    }


def _counts(message: Mapping[str, Any], link: Mapping[str, Any]) -> bool:
    return (
        message["scope"] == _SCOPE_GLOBAL
        and message["family"] in _UNUSABLE
        and not message["flags"] & _UNUSABLE[message["family"]]
        and link["name"] != "lo"
        and not link["name"].startswith(_VIRTUAL_PREFIXES)
    )


def _node_address(message: Mapping[str, Any], link: Mapping[str, Any]) -> NodeAddress:
    return NodeAddress(
        interface=link["name"],
        address=message["address"],
        prefix=message["prefix"],
        carrier=bool(link["flags"] & _IFF_LOWER_UP),
        static=bool(message["flags"] & _PERMANENT),
        index=message["index"],
    )
