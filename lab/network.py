"""Bridges and cables: the network of a lab, all of it in namespaces of its own.

The `fabric` namespace holds the bridges. A cable is a pair of links: the host's end in the host's namespace, the
other end on the bridge, named HOST-INTERFACE. Cutting a cable takes the bridge's end down: the host loses its carrier.
"""

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

from lab.apiserver import SERVICE_CIDR
from lab.shell import run
from lab.site import Site
from lab.topology import FABRIC, FABRIC_LINK, Link, Node

API_ADDRESS = "172.30.0.10"
_NETNS = Path("/run/netns")


def create_fabric(site: Site) -> None:
    """The bridges, without anything plugged in."""
    _create_namespace(site, "fabric")
    lines = []
    for bridge in (FABRIC, *site.topology.bridges):
        lines += [f"link add {bridge} type bridge", f"link set {bridge} up"]
    _ip(site, "fabric", lines)


def create_api(site: Site) -> None:
    """The control plane's place on the node network, with routes to every node's pods."""
    create_host(site, "api", [Link(FABRIC_LINK, FABRIC, (f"{API_ADDRESS}/24",))])
    _ip(site, "api", [_pod_route(node) for node in site.topology.nodes])


def create_node(site: Site, node: Node) -> None:
    """A node's namespace with all its cables, routes to the other nodes' pods, and the rules a rack node needs."""
    fabric = Link(FABRIC_LINK, FABRIC, (f"{node.address}/24", f"{node.address6}/64"))
    create_host(site, node.name, [fabric, *node.links])
    others = [_pod_route(other) for other in site.topology.nodes if other != node]
    # A process of the node itself needs some route to a Service before kube-proxy can rewrite its packets.
    _ip(site, node.name, [*others, f"route add {SERVICE_CIDR} dev {FABRIC_LINK}"])
    run([*site.enter(node.name), "sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1"])
    run([*site.enter(node.name), "nft", "-f", "-"], stdin=node_rules(site, node))


def create_host(site: Site, host: str, links: Sequence[Link]) -> None:
    """A namespace with its cables plugged in and its addresses on them."""
    _create_namespace(site, host)
    for link in links:
        port = port_name(host, link.name)
        peer = f"type veth peer name {link.name} address {hardware_address(host, link.name)} netns {site.netns(host)}"
        # What a host that died left behind on the bridge would be in the way.
        run([*site.enter("fabric"), "ip", "link", "del", port], check=False)
        _ip(site, "fabric", [f"link add {port} {peer}", f"link set {port} master {link.bridge} up"])
    _ip(site, host, [line for link in links for line in host_end(link)])


def hardware_address(host: str, interface: str) -> str:
    """The same at each power-on, as a network card's is: neighbours remember it for up to a minute."""
    octets = hashlib.sha256(f"{host} {interface}".encode()).digest()[:5]
    return ":".join(f"{octet:02x}" for octet in (0x02, *octets))


def port_name(host: str, interface: str) -> str:
    """The bridge's end of a cable."""
    return f"{host}-{interface}"


def host_end(link: Link) -> list[str]:
    """What `ip` is told for the host's end of a cable."""
    lines = [f"addr add {address} dev {link.name}{' nodad' if ':' in address else ''}" for address in link.addresses]
    return [*lines, f"link set {link.name} up"]


def node_rules(site: Site, node: Node) -> str:
    """The packet rules of a node: machines reach the node's own addresses on their network and nothing behind it.

    A real rack node needs the same: Kubernetes turns forwarding on, and without the rules a machine with a route
    through the rack would reach the node network. Where there is an uplink, pods leave by it under the node's address.
    """
    uplinks = [link.name for link in node.links if site.topology.is_uplink(link)]
    inside = [link.name for link in node.links if link.name not in uplinks]
    chains = []
    if inside:
        # Nor do they reach its other addresses: the kubelet listens on the node network.
        own = "fib daddr . iif type != { local, broadcast, multicast }"
        chains.append(_chain("strangers", "filter hook prerouting priority raw", f"iifname {_set(inside)} {own} drop"))
        chains.append(_chain("no_router", "filter hook forward priority filter", f"iifname {_set(inside)} drop"))
    if uplinks:
        new = f"iifname {_set(uplinks)} ct state new drop"
        chains.append(_chain("no_way_in", "filter hook forward priority filter", new))
        out = f"oifname {_set(uplinks)} masquerade"
        chains.append(_chain("way_out", "nat hook postrouting priority srcnat", out))
    return "table inet lab {\n" + "".join(chains) + "}\n"


def set_cable(site: Site, host: str, interface: str, connected: bool) -> None:
    """Plugs a cable in or cuts it; the host keeps its addresses and sees the carrier."""
    _ip(site, "fabric", [f"link set {port_name(host, interface)} {'up' if connected else 'down'}"])


def set_loss(site: Site, host: str, interface: str, percent: float) -> None:
    """The share of packets that the interface drops from now on, in each direction; 0 ends it."""
    run([*site.enter(host), "nft", "-f", "-"], stdin=loss_rules(interface, percent))


def loss_rules(interface: str, percent: float) -> str:
    """The packet rules of an interface that loses that share; they replace those of another share."""
    table = f"table netdev lab_loss_{interface}"
    lines = [table, f"delete {table}"]
    if percent:
        # nft takes no comparison that is always true or never.
        share = f"numgen random mod 10000 < {max(1, round(percent * 100))} " if percent < 99.99 else ""
        for way in ("ingress", "egress"):
            hook = f"filter hook {way} device {interface} priority 0"
            lines.append(f"{table} {{ {_chain(way, hook, f'{share}drop')} }}")
    return "\n".join(lines) + "\n"


def delete_host(site: Site, host: str) -> None:
    """The namespace is gone, and with it its cables."""
    if exists(site, host):
        run(["ip", "netns", "del", site.netns(host)])


def exists(site: Site, host: str) -> bool:
    """Whether the host's namespace is there."""
    return (_NETNS / site.netns(host)).exists()


def interfaces(links: Iterable[Link]) -> list[str]:
    """The names of the node's interfaces, the one on the node network first."""
    return [FABRIC_LINK, *(link.name for link in links)]


def _create_namespace(site: Site, host: str) -> None:
    run(["ip", "netns", "add", site.netns(host)])
    _ip(site, host, ["link set lo up"])


def _pod_route(node: Node) -> str:
    return f"route add {node.pod_cidr} via {node.address}"


def _chain(name: str, hook: str, rule: str) -> str:
    return f"  chain {name} {{ type {hook}; {rule}; }}\n"


def _set(names: Iterable[str]) -> str:
    return "{ " + ", ".join(f'"{name}"' for name in names) + " }"


def _ip(site: Site, host: str, lines: Sequence[str]) -> None:
    run([*site.enter(host), "ip", "-batch", "-"], stdin="\n".join(lines) + "\n")
