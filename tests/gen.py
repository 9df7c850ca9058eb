"""Test objects that are right in every way; a test names only what it is about.

gen.subnet("10.10.0.0/24", allow_dns=False)
"""

from dataclasses import replace
from ipaddress import ip_address, ip_interface, ip_network
from typing import Any

from rackrelay import names
from rackrelay.model.meta import Meta
from rackrelay.model.observed import Node, Pod
from rackrelay.model.pods import PodSettings
from rackrelay.model.rack import RackController
from rackrelay.model.region import RegionController
from rackrelay.model.subnet import Subnet
from rackrelay.nameservers.server import NameServer
from rackrelay.nameservers.update import TsigKey
from rackrelay.protocol.status_document import AgentStatus, RackInterface
from rackrelay.zone.evidence import Evidence, Judgement, Tier
from rackrelay.zone.plan import Zone
from rackrelay.zone.rule import RackView

NAMESPACE = "machines"
DOMAIN = "maas-internal"
RACK_NODES = {f"{names.GROUP}/role": "rack"}
KEY = TsigKey("1.demo.machines.rackrelay", "c2VjcmV0IG9mIHRoZSB0ZXN0cyBhbG9uZSwgMzIgYnl0ZXM=")

Manifest = dict[str, Any]


def meta(name: str, **changes: Any) -> Meta:
    """An object's identity; its UID follows from its name."""
    return replace(Meta(NAMESPACE, name, f"uid-{name}", 1, "2026-01-01T00:00:00Z"), **changes)


def region(name: str = "demo", **changes: Any) -> RegionController:
    """A region with two replicas."""
    return replace(RegionController(meta(name), replicas=2), **changes)


def rack(name: str = "demo", **changes: Any) -> RackController:
    """Racks on the nodes with the role `rack`, of the only region."""
    return replace(RackController(meta(name), pods=PodSettings(node_selector=RACK_NODES)), **changes)


def subnet(cidr: str, name: str = "", **changes: Any) -> Subnet:
    """A managed Subnet of the only region; its name follows from its CIDR."""
    network = ip_network(cidr)
    return replace(Subnet(meta(name or names.subnet_label(network)), network), **changes)


def node(name: str, **changes: Any) -> Node:
    """A rack's node."""
    return replace(Node(name, RACK_NODES, ("192.0.2.1",), ("10.244.1.0/24",)), **changes)


def pod(name: str, **changes: Any) -> Pod:
    """A ready rack pod on the node `rack1`."""
    base = Pod(NAMESPACE, name, f"uid-{name}", names.COMPONENT_RACK, "demo", "rack1", "192.0.2.1", ready=True)
    return replace(base, **changes)


def server(name: str = "rack1", address: str = "127.0.0.1", port: int = 53) -> NameServer:
    """One name server of the zone."""
    return NameServer(NAMESPACE, name, address, port)


def status(*interfaces: str, **changes: Any) -> AgentStatus:
    """What the agent of a healthy rack says; interfaces as text, such as 10.10.0.2/24."""
    found = tuple(RackInterface(f"prov{i}", ip_interface(text)) for i, text in enumerate(interfaces))
    return replace(
        AgentStatus(found, regions_reachable=2, regions_known=2, config_hash="c0ffee", config_applied=True), **changes
    )


def evidence(**changes: Any) -> Evidence:
    """What is seen of a healthy rack at the time 100.0."""
    return replace(Evidence(misses=0, answered_at=100.0, status=status("10.10.0.2/24"), status_at=100.0), **changes)


def view(name: str, *addresses: str, tier: Tier = Tier.HEALTHY) -> RackView:
    """A rack of a tier with addresses."""
    return RackView(name, tuple(ip_address(a) for a in addresses), Judgement(tier))


def zone(serial: int = 1, ttl_s: int = 15, **rrsets: tuple[str, ...]) -> Zone:
    """A zone whose names are keywords: racks=("10.10.0.2",). Addresses choose the type."""
    return Zone(DOMAIN, ttl_s, serial, {(n, "AAAA" if ":" in a[0] else "A"): a for n, a in rrsets.items()})


def body(kind: str, name: str = "demo", spec: Manifest | None = None, **metadata: Any) -> Manifest:
    """A custom resource as the API server sends it."""
    about = {"namespace": NAMESPACE, "name": name, "uid": f"uid-{name}", "generation": 1, "resourceVersion": "1"}
    return {"apiVersion": names.API_VERSION, "kind": kind, "metadata": {**about, **metadata}, "spec": spec or {}}
