"""What a lab consists of, read from a YAML file; every mistake in it is named by its place."""

import ipaddress
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import yaml

from lab.errors import LabError

DEFAULT = Path(__file__).resolve().parent / "topology.yaml"
# The node network belongs to the lab itself: the control plane and an address for every node.
FABRIC, FABRIC_LINK = "fab", "fab0"
RESERVED = frozenset({FABRIC, "fabric", "api", "wan"})
_FIRST_NODE, _LAST_NODE = 11, 250


@dataclass(frozen=True)
class Link:
    """One interface of a host: the bridge that it is plugged into and its addresses with prefix length."""

    name: str
    bridge: str
    addresses: tuple[str, ...]


@dataclass(frozen=True)
class Node:
    """A Kubernetes node; `number` is its last byte on the node network and the third of its pods' network."""

    name: str
    number: int
    labels: Mapping[str, str] = field(default_factory=dict)
    links: tuple[Link, ...] = ()

    @property
    def address(self) -> str:
        return f"172.30.0.{self.number}"

    @property
    def address6(self) -> str:
        """Kubernetes does not use it. It is there because nodes have one in most places."""
        return f"fd00:30::{self.number}"

    @property
    def pod_cidr(self) -> str:
        return f"10.244.{self.number}.0/24"


@dataclass(frozen=True)
class Machine:
    """Bare metal on provisioning networks, with its resolver's name servers."""

    name: str
    links: tuple[Link, ...]
    nameservers: tuple[str, ...] = ()


_Host = TypeVar("_Host", Node, Machine)


@dataclass(frozen=True)
class Wan:
    """The host beyond the uplink: where its DNS server and its APT origin listen, and their domain."""

    links: tuple[Link, ...]
    dns: str
    archive: str
    domain: str


@dataclass(frozen=True)
class Topology:
    """Bridges (True for the uplink), nodes, machines, and the outside if there is one."""

    bridges: Mapping[str, bool]
    nodes: tuple[Node, ...]
    machines: tuple[Machine, ...] = ()
    wan: Wan | None = None

    def node(self, name: str) -> Node:
        """Raises LabError with the names there are when this is none."""
        return _find(self.nodes, name, "node")

    def machine(self, name: str) -> Machine:
        """Raises LabError with the names there are when this is none."""
        return _find(self.machines, name, "machine")

    def is_uplink(self, link: Link) -> bool:
        return self.bridges.get(link.bridge, False)


def load_topology(path: Path) -> Topology:
    """The topology in the file. Raises LabError with the file and the place of what is wrong."""
    try:
        return parse_topology(yaml.safe_load(path.read_text()))
    except OSError as error:
        raise LabError(f"{path}: {error.strerror}") from error
    except (yaml.YAMLError, LabError) as error:
        raise LabError(f"{path}: {error}") from error


def parse_topology(data: object) -> Topology:
    """The topology in parsed YAML. Raises LabError with the place of what is wrong."""
    top = _mapping(data, "the file", {"bridges", "nodes", "machines", "wan"})
    bridges = {name: _parse_bridge(item, f"bridges.{name}") for name, item in _items(top, "bridges")}
    nodes = [_parse_node(name, item, number, bridges) for number, (name, item) in _numbered(top)]
    machines = [_parse_machine(name, item, bridges) for name, item in _items(top, "machines")]
    if not nodes:
        raise LabError("nodes: at least one node is needed")
    wan = _parse_wan(top["wan"], bridges) if top.get("wan") else None
    topology = Topology(bridges, tuple(nodes), tuple(machines), wan)
    _check_addresses(topology)
    return topology


def _numbered(top: Mapping[str, Any]) -> Iterable[tuple[int, tuple[str, Any]]]:
    items = _items(top, "nodes")
    if len(items) > _LAST_NODE - _FIRST_NODE:
        raise LabError(f"nodes: {len(items)} are too many, {_LAST_NODE - _FIRST_NODE} fit on the node network")
    return enumerate(items, start=_FIRST_NODE)


def _parse_bridge(item: object, where: str) -> bool:
    uplink = _mapping(item or {}, where, {"uplink"}).get("uplink", False)
    if not isinstance(uplink, bool):
        raise LabError(f"{where}.uplink: must be true or false, not {uplink!r}")
    return uplink


def _parse_node(name: str, item: object, number: int, bridges: Mapping[str, bool]) -> Node:
    where = f"nodes.{name}"
    fields = _mapping(item or {}, where, {"labels", "links"})
    labels = {str(key): str(value) for key, value in _mapping(fields.get("labels") or {}, f"{where}.labels").items()}
    return Node(_host_name(name, where), number, labels, _parse_links(fields, where, bridges))


def _parse_machine(name: str, item: object, bridges: Mapping[str, bool]) -> Machine:
    where = f"machines.{name}"
    fields = _mapping(item or {}, where, {"links", "nameservers"})
    servers = _strings(fields.get("nameservers") or [], f"{where}.nameservers")
    for server in servers:
        _address(server, f"{where}.nameservers")
    return Machine(_host_name(name, where), _parse_links(fields, where, bridges), servers)


def _parse_wan(item: object, bridges: Mapping[str, bool]) -> Wan:
    fields = _mapping(item, "wan", {"links", "dns", "archive", "domain"})
    for key in ("links", "dns", "archive", "domain"):
        if not fields.get(key):
            raise LabError(f"wan.{key}: is missing")
    for key in ("dns", "archive"):
        _address(str(fields[key]), f"wan.{key}")
    links = _parse_links(fields, "wan", bridges)
    return Wan(links, str(fields["dns"]), str(fields["archive"]), str(fields["domain"]))


def _parse_links(fields: Mapping[str, Any], where: str, bridges: Mapping[str, bool]) -> tuple[Link, ...]:
    return tuple(
        _parse_link(name, item, f"{where}.links.{name}", bridges)
        for name, item in _mapping(fields.get("links") or {}, f"{where}.links").items()
    )


def _parse_link(name: str, item: object, where: str, bridges: Mapping[str, bool]) -> Link:
    if not re.fullmatch(r"[a-z][a-z0-9]{0,5}", name) or name == FABRIC_LINK:
        raise LabError(f"{where}: an interface is 1-6 lower-case letters and digits, and not {FABRIC_LINK!r}")
    fields = _mapping(item, where, {"bridge", "addresses"})
    bridge = str(fields.get("bridge"))
    if bridge not in bridges:
        raise LabError(f"{where}.bridge: there is no bridge {bridge!r}; there are {', '.join(sorted(bridges))}")
    addresses = _strings(fields.get("addresses") or [], f"{where}.addresses")
    for address in addresses:
        _interface(address, f"{where}.addresses")
    return Link(name, bridge, addresses)


def _check_addresses(topology: Topology) -> None:
    hosts: list[Node | Machine] = [*topology.nodes, *topology.machines]
    named = [(host.name, host.links) for host in hosts]
    named += [("wan", topology.wan.links)] if topology.wan else []
    seen: dict[tuple[str, str], str] = {}
    for owner, links in named:
        for link in links:
            for address in link.addresses:
                key = (link.bridge, str(ipaddress.ip_interface(address).ip))
                if key in seen:
                    raise LabError(f"{key[1]} on bridge {link.bridge} belongs to both {seen[key]} and {owner}")
                seen[key] = owner
    names = [name for name, _ in named]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise LabError(f"{', '.join(twice)}: both a node and a machine")


def _host_name(name: str, where: str) -> str:
    # With an interface's name behind it, it has to fit into the 15 characters of a link's name.
    if not re.fullmatch(r"[a-z][a-z0-9]{0,7}", name) or name in RESERVED:
        raise LabError(f"{where}: a name is 1-8 lower-case letters and digits, none of {', '.join(sorted(RESERVED))}")
    return name


def _address(text: str, where: str) -> None:
    try:
        ipaddress.ip_address(text)
    except ValueError as error:
        raise LabError(f"{where}: {error}") from error


def _interface(text: str, where: str) -> None:
    try:
        interface = ipaddress.ip_interface(text)
    except ValueError as error:
        raise LabError(f"{where}: {error}") from error
    if interface.network.prefixlen == interface.max_prefixlen:
        raise LabError(f"{where}: {text} needs a prefix length, like {text}/24")


def _items(top: Mapping[str, Any], key: str) -> list[tuple[str, Any]]:
    return list(_mapping(top.get(key) or {}, key).items())


def _mapping(item: object, where: str, known: set[str] | None = None) -> dict[str, Any]:
    if not isinstance(item, dict):
        raise LabError(f"{where}: must be a mapping, not {item!r}")
    if known is not None and (strange := sorted(str(key) for key in item if key not in known)):
        raise LabError(f"{where}: unknown {', '.join(strange)}; known are {', '.join(sorted(known))}")
    return {str(key): value for key, value in item.items()}


def _strings(item: object, where: str) -> tuple[str, ...]:
    if not isinstance(item, list) or not all(isinstance(entry, str) for entry in item):
        raise LabError(f"{where}: must be a list of texts, not {item!r}")
    return tuple(item)


def _find(hosts: tuple[_Host, ...], name: str, kind: str) -> _Host:
    for host in hosts:
        if host.name == name:
            return host
    raise LabError(f"there is no {kind} {name!r}; there are {', '.join(host.name for host in hosts)}")
