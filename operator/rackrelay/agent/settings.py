"""What the agent is told at its start, and what the mounted configuration tells it later."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from rackrelay import names


@dataclass(frozen=True)
class Paths:
    """Folders of the pod; tests use others."""

    config: Path = Path(names.DIR_CONFIG)
    zone: Path = Path(names.DIR_ZONE)
    agent_key: Path = Path(names.DIR_AGENT_KEY)
    run: Path = Path(names.DIR_RUN)
    state: Path = Path(names.DIR_STATE)


@dataclass(frozen=True)
class NodeValues:
    """What differs from node to node: these replace the placeholders."""

    node_name: str
    node_ip: str
    pod_name: str = ""


@dataclass(frozen=True)
class Duties:
    """agent.json: what this pod runs and whom it must reach. `regions` are addresses as text."""

    kind: str
    domain: str
    ttl_s: int
    daemons: tuple[str, ...]
    dns_port: int
    regions: tuple[str, ...]
    http_port: int

    @property
    def is_rack(self) -> bool:
        """Whether this is a rack's pod, which machines use."""
        return self.kind == "rack"


def read_node_values(environ: Mapping[str, str]) -> NodeValues:
    """NodeValues from the environment.

    Raises:
        ValueError: NODE_NAME or NODE_IP is missing or cannot stand in a configuration file.
    """
    name, address = environ.get("NODE_NAME", ""), environ.get("NODE_IP", "")
    if not name or len(name) > 253 or not all(c.isascii() and (c.isalnum() or c in "-.") for c in name):
        raise ValueError(f"NODE_NAME {name!r} is not a node's name")
    return NodeValues(name, str(ip_address(address)), environ.get("POD_NAME", ""))


def parse_duties(text: str) -> Duties:
    """Duties from agent.json.

    Raises:
        KeyError, TypeError, ValueError: not a document that the operator wrote.
    """
    document: dict[str, Any] = json.loads(text)
    return Duties(
        kind=document["kind"],
        domain=document["domain"],
        ttl_s=int(document["ttlSeconds"]),
        daemons=tuple(document["daemons"]),
        dns_port=int(document["dnsPort"]),
        regions=tuple(str(ip_address(address)) for address in document["regions"]),
        http_port=int(document["httpPort"]),
    )
