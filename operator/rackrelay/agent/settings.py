"""What the agent is told at its start, and what the mounted configuration tells it later."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

from rackrelay import names
from rackrelay.addresses import Network


@dataclass(frozen=True)
class Paths:
    """Folders of the pod; tests use others."""

    config: Path = Path(names.DIR_CONFIG)
    zone: Path = Path(names.DIR_ZONE)
    agent_key: Path = Path(names.DIR_AGENT_KEY)
    run: Path = Path(names.DIR_RUN)
    state: Path = Path(names.DIR_STATE)
    tsig: Path = Path(names.DIR_TSIG)


@dataclass(frozen=True)
class NodeValues:
    """What differs from node to node: these replace the placeholders."""

    node_name: str
    node_ip: str
    pod_name: str = ""


@dataclass(frozen=True)
class AgentConfig:
    """agent.json: what this pod runs and whom it must reach. `regions` are addresses as text.

    `heartbeats` are the address and port of each replica that wants to hear this rack, `heartbeat_s` how often;
    after `misses` in a row that did not come somebody counts as silent. `subnets` are those whose names the zone has.
    """

    kind: str
    domain: str
    ttl_s: int
    daemons: tuple[str, ...]
    dns_port: int
    regions: tuple[str, ...]
    http_port: int
    heartbeats: tuple[tuple[str, int], ...] = ()
    heartbeat_s: float = 0.25
    misses: int = 3
    subnets: tuple[Network, ...] = ()

    @property
    def is_rack(self) -> bool:
        """Whether this is a rack's pod, which machines use."""
        return self.kind == "rack"


def read_ordinal(pod_name: str) -> int:
    """Which replica of the region a pod is.

    Raises:
        ValueError: the name is none that a StatefulSet gives, or there is no heartbeat port for it.
    """
    ordinal = int(pod_name.rpartition("-")[2])
    if not 0 <= ordinal <= names.PORT_HEARTBEAT_LAST - names.PORT_HEARTBEAT_FIRST:
        raise ValueError(f"no heartbeat port for {pod_name}")
    return ordinal


def read_node_values(environ: Mapping[str, str]) -> NodeValues:
    """NodeValues from the environment.

    Raises:
        ValueError: NODE_NAME or NODE_IP is missing or cannot stand in a configuration file.
    """
    name, address = environ.get("NODE_NAME", ""), environ.get("NODE_IP", "")
    if not name or len(name) > 253 or not all(c.isascii() and (c.isalnum() or c in "-.") for c in name):
        raise ValueError(f"NODE_NAME {name!r} is not a node's name")
    return NodeValues(name, str(ip_address(address)), environ.get("POD_NAME", ""))


def parse_agent_config(text: str) -> AgentConfig:
    """AgentConfig from agent.json.

    Raises:
        KeyError, TypeError, ValueError: not a document that the operator wrote.
    """
    document: dict[str, Any] = json.loads(text)
    return AgentConfig(
        kind=document["kind"],
        domain=document["domain"],
        ttl_s=int(document["ttlSeconds"]),
        daemons=tuple(document["daemons"]),
        dns_port=int(document["dnsPort"]),
        regions=tuple(str(ip_address(address)) for address in document["regions"]),
        http_port=int(document["httpPort"]),
        # An operator of the release before does not write these.
        heartbeats=tuple((str(ip_address(host)), int(port)) for host, port in document.get("heartbeats", ())),
        heartbeat_s=int(document.get("heartbeatMilliseconds", 250)) / 1000,
        misses=int(document.get("heartbeatMisses", 3)),
        subnets=tuple(ip_network(cidr) for cidr in document.get("subnets", ())),
    )
