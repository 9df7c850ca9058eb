"""The status document: what an agent says of its pod, at /status and in its heartbeats.

The agent writes a StatusReport; what the operator reads of it is an AgentStatus.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from ipaddress import IPv4Interface, IPv6Interface, ip_address, ip_interface, ip_network
from typing import Any

from rackrelay.addresses import Address, Network
from rackrelay.protocol import versions


@dataclass(frozen=True)
class RackInterface:
    """One address of a rack as its agent reports it."""

    name: str
    address: IPv4Interface | IPv6Interface
    carrier: bool = True


@dataclass(frozen=True)
class PeerObservation:
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
    peers: tuple[PeerObservation, ...] = ()

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
class StatusReport:
    """All that the document says.

    `interfaces`: (interface, address, prefix length, carrier) each; None while they are not known. `daemons`: daemon ->
    what is wrong with it, empty when nothing is. `peers`: (subnet, address, heard) each. `serial`: what named serves.
    """

    node: str
    pod: str
    interfaces: Sequence[tuple[str, str, int, bool]] | None
    daemons: Mapping[str, str]
    regions_reachable: int
    regions_known: int
    peers: Sequence[tuple[str, str, bool]]
    serial: int | None
    config_hash: str
    config_applied: bool
    rejected: Mapping[str, str]
    restart_needed: Sequence[str]


def build_status_document(report: StatusReport) -> dict[str, Any]:
    """The document, ready for JSON."""
    return {
        versions.FIELD: versions.WRITTEN,
        "node": report.node,
        "pod": report.pod,
        "addresses": _build_interfaces(report.interfaces),
        "daemons": {name: {"ok": not words, "message": words} for name, words in report.daemons.items()},
        "regions": {"reachable": report.regions_reachable, "known": report.regions_known},
        "peers": [{"subnet": subnet, "address": address, "heard": heard} for subnet, address, heard in report.peers],
        "zone": {"serial": report.serial} if report.serial is not None else None,
        "config": {
            "hash": report.config_hash,
            "applied": report.config_applied,
            "rejected": dict(report.rejected),
            "restartNeeded": list(report.restart_needed),
        },
    }


def _build_interfaces(interfaces: Sequence[tuple[str, str, int, bool]] | None) -> list[dict[str, Any]] | None:
    if interfaces is None:
        return None
    return [
        {"interface": name, "address": address, "prefix": prefix, "carrier": carrier}
        for name, address, prefix, carrier in interfaces
    ]


def parse_agent_status(document: Mapping[str, Any]) -> AgentStatus:
    """AgentStatus from the JSON document that an agent answers on port 5249.

    Raises:
        KeyError, ValueError, TypeError: the document is not of the agreed form.
    """
    versions.check_version(document, "the agent's status")
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
            PeerObservation(_network(p["subnet"]), _address(p["address"]), bool(p["heard"]))
            for p in document.get("peers", ())
        ),
    )


def _parse_interfaces(listed: Sequence[Mapping[str, Any]] | None) -> tuple[RackInterface, ...] | None:
    if listed is None:
        return None
    return tuple(
        RackInterface(a["interface"], _interface(f"{a['address']}/{a['prefix']}"), bool(a["carrier"])) for a in listed
    )


# The same few thousand texts come again and again, and each takes longer than all the rest of a status.
_interface = lru_cache(maxsize=4096)(ip_interface)
_network = lru_cache(maxsize=4096)(ip_network)
_address = lru_cache(maxsize=4096)(ip_address)
