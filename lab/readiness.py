"""What Node objects say about their nodes."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any


def read_ready(nodes: Iterable[dict[str, Any]]) -> dict[str, bool]:
    """Whether each of these Node objects is Ready."""
    return {node["metadata"]["name"]: is_ready(node) for node in nodes}


def is_ready(node: dict[str, Any]) -> bool:
    """Whether Kubernetes takes the node for Ready; one that lost power seems so for 20 s."""
    conditions = node["status"].get("conditions", [])
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)


def heard_at(node: dict[str, Any]) -> float:
    """When the kubelet last told the state of its node, in whole seconds since the epoch; 0 if never."""
    times = [condition.get("lastHeartbeatTime") for condition in node["status"].get("conditions", [])]
    return max((datetime.fromisoformat(time).timestamp() for time in times if time), default=0.0)
