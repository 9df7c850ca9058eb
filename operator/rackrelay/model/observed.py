"""What the operator has seen of pods, nodes and agents: small immutable records."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
    ip_address,
    ip_interface,
    ip_network,
)
from typing import Any, NamedTuple

from rackrelay import names
from rackrelay.model.pod_problem import find_problem

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


@dataclass(frozen=True)
class Pod:
    """One pod of ours. `owner` is the name of its RegionController or RackController, `region` that of its region.

    `problem`: what keeps it from running, in words; `crashing`: that is a container that does not stay up.
    `grace_s`: how long it is given to stop, None when that is not known.
    """

    namespace: str
    name: str
    uid: str
    component: str
    owner: str
    node: str = ""
    address: str = ""
    ready: bool = False
    deleting: bool = False
    config: str = ""
    template: str = ""
    problem: str = ""
    crashing: bool = False
    region: str = ""
    grace_s: int | None = None


@dataclass(frozen=True)
class Node:
    """One node of the cluster, without anything that ticks.

    `ready`: the kubelet was heard; a node that lost power stops being ready half a minute later.
    """

    name: str
    labels: Mapping[str, str] = field(default_factory=dict)
    addresses: tuple[str, ...] = ()
    pod_cidrs: tuple[str, ...] = ()
    ready: bool = True

    @property
    def drained(self) -> bool:
        """Whether somebody asked, by label, that machines stop using the rack on this node."""
        return self.labels.get(names.LABEL_DRAIN) == "true"

    def matches(self, selector: Mapping[str, str]) -> bool:
        """Whether a node selector selects this node."""
        return all(self.labels.get(key) == value for key, value in selector.items())


class NameServer(NamedTuple):
    """One name server of the internal zone: the named of a rack or of a region replica.

    `name` is the node's for a rack, the pod's for a region replica; it is unique in the namespace. It is a tuple, for a
    thousand of them are looked up many times for each change of a zone, and a tuple is hashed three times as fast.
    """

    namespace: str
    name: str
    address: str
    port: int


@dataclass(frozen=True)
class RackInterface:
    """One address of a rack as its agent reports it."""

    name: str
    address: IPv4Interface | IPv6Interface
    carrier: bool = True


@dataclass(frozen=True)
class PeerSight:
    """Whether a rack gets answers from an address of another rack, on a subnet that both are in."""

    subnet: Network
    address: Address
    heard: bool


@dataclass(frozen=True)
class AgentStatus:
    """What an agent says of its pod. `failing` maps a daemon to what is wrong with it.

    `interfaces`: None while the agent has not read them.
    """

    interfaces: tuple[RackInterface, ...] | None = ()
    failing: Mapping[str, str] = field(default_factory=dict)
    regions_reachable: int = 0
    regions_known: int = 0
    config_hash: str = ""
    config_applied: bool = False
    rejected: Mapping[str, str] = field(default_factory=dict)
    restart_needed: tuple[str, ...] = ()
    peers: tuple[PeerSight, ...] = ()

    @cached_property
    def addresses(self) -> tuple[Address, ...] | None:
        """Those of the interfaces; None while they are not known."""
        return None if self.interfaces is None else tuple(interface.address.ip for interface in self.interfaces)

    @cached_property
    def cables(self) -> tuple[tuple[Address, ...], ...]:
        """The addresses of each interface that has some of both families."""
        by_name: dict[str, list[Address]] = {}
        for interface in self.interfaces or ():
            by_name.setdefault(interface.name, []).append(interface.address.ip)
        return tuple(tuple(found) for found in by_name.values() if len({a.version for a in found}) == 2)

    @cached_property
    def unplugged(self) -> frozenset[Address]:
        """Those of the interfaces that have no carrier."""
        return frozenset(i.address.ip for i in self.interfaces or () if not i.carrier)


@dataclass(frozen=True)
class RackBeat:
    """What a region replica heard of one rack. `status` is None when it sent none that can be read."""

    heard: bool
    serial: int | None = None
    status: AgentStatus | None = None


@dataclass(frozen=True)
class Cursor:
    """How far one has followed what a region replica hears; the default is not at all."""

    version: int = 0
    epoch: str = ""


@dataclass(frozen=True)
class Heard:
    """What a region replica heard since a Cursor: of all racks when it is `full`, else of those that changed."""

    version: int
    epoch: str
    full: bool
    racks: Mapping[str, RackBeat] = field(default_factory=dict)

    @property
    def cursor(self) -> Cursor:
        """Where to go on."""
        return Cursor(self.version, self.epoch)


def parse_pod(body: Mapping[str, Any]) -> Pod:
    """Pod from a Kubernetes object that carries our labels."""
    metadata, spec, status = body["metadata"], body.get("spec", {}), body.get("status", {})
    labels = metadata.get("labels", {})
    component = labels.get(names.LABEL_COMPONENT, "")
    owner_label = names.LABEL_REGION if component == names.COMPONENT_REGION else names.LABEL_RACK_CONTROLLER
    annotations = metadata.get("annotations", {})
    conditions = {c["type"]: c["status"] for c in status.get("conditions", ())}
    problem, crashing = find_problem(status)
    return Pod(
        namespace=metadata["namespace"],
        name=metadata["name"],
        uid=metadata["uid"],
        component=component,
        owner=labels.get(owner_label, ""),
        node=spec.get("nodeName", ""),
        address=status.get("podIP", ""),
        ready=conditions.get("Ready") == "True",
        deleting="deletionTimestamp" in metadata,
        config=annotations.get(names.ANNOTATION_CONFIG, ""),
        template=annotations.get(names.ANNOTATION_TEMPLATE, ""),
        problem=problem,
        crashing=crashing,
        region=labels.get(names.LABEL_REGION, ""),
        grace_s=spec.get("terminationGracePeriodSeconds"),
    )


def parse_node(body: Mapping[str, Any]) -> Node:
    """Node from a Kubernetes object."""
    status = body.get("status", {})
    addresses = status.get("addresses", ())
    conditions = {c["type"]: c["status"] for c in status.get("conditions", ())}
    return Node(
        name=body["metadata"]["name"],
        labels=dict(body["metadata"].get("labels", {})),
        addresses=tuple(sorted(a["address"] for a in addresses if a["type"] in ("InternalIP", "ExternalIP"))),
        pod_cidrs=tuple(body.get("spec", {}).get("podCIDRs", ())),
        ready=conditions.get("Ready", "True") == "True",
    )


def parse_agent_status(document: Mapping[str, Any]) -> AgentStatus:
    """AgentStatus from the JSON document that an agent answers on port 5249.

    Raises:
        KeyError, ValueError, TypeError: the document is not of the agreed form.
    """
    config, regions = document["config"], document.get("regions") or {}
    return AgentStatus(
        interfaces=_parse_interfaces(document["addresses"]),
        failing={name: d["message"] for name, d in sorted(document["daemons"].items()) if not d["ok"]},
        regions_reachable=regions.get("reachable", 0),
        regions_known=regions.get("known", 0),
        config_hash=config["hash"],
        config_applied=config["applied"],
        rejected=dict(config.get("rejected", {})),
        restart_needed=tuple(config.get("restartNeeded", ())),
        peers=tuple(
            PeerSight(_network(p["subnet"]), _address(p["address"]), bool(p["heard"]))
            for p in document.get("peers", ())
        ),
    )


def _parse_interfaces(listed: Sequence[Mapping[str, Any]] | None) -> tuple[RackInterface, ...] | None:
    if listed is None:
        return None
    return tuple(
        RackInterface(a["interface"], _interface(f"{a['address']}/{a['prefix']}"), bool(a["carrier"])) for a in listed
    )


def parse_heard(document: Mapping[str, Any]) -> Heard:
    """Heard from the JSON document that a region's agent answers at /heard.

    Raises:
        KeyError, ValueError, TypeError, AttributeError: the document is not of the agreed form.
    """
    racks = {name: _parse_beat(entry) for name, entry in document["racks"].items()}
    return Heard(int(document["version"]), str(document["epoch"]), bool(document["full"]), racks)


def _parse_beat(entry: Mapping[str, Any]) -> RackBeat:
    try:
        status = parse_agent_status(entry["status"]) if entry["status"] else None
    except (KeyError, ValueError, TypeError, AttributeError):
        # One rack of another release must not hide what is heard of all the others.
        status = None
    return RackBeat(bool(entry["heard"]), entry["serial"], status)


# The same few thousand texts come again and again, and each takes longer than all the rest of a status.
_interface = lru_cache(maxsize=4096)(ip_interface)
_network = lru_cache(maxsize=4096)(ip_network)
_address = lru_cache(maxsize=4096)(ip_address)
