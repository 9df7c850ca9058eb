"""The status document: what an agent says of its pod, at /status and in its heartbeats."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from ipaddress import IPv4Interface, IPv6Interface, ip_address, ip_interface, ip_network
from typing import Any

from rackrelay.addresses import Address, Network


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
