"""What the agent is told by its environment at its start."""

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from rackrelay import names


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
