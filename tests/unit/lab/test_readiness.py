"""Node objects are read as Kubernetes writes them."""

from typing import Any

from lab.readiness import heard_at, is_ready, read_ready


def node(name: str = "rack1", ready: str = "True", heard: str = "2026-01-01T00:00:10Z") -> dict[str, Any]:
    conditions = [
        {"type": "MemoryPressure", "status": "False", "lastHeartbeatTime": "2026-01-01T00:00:05Z"},
        {"type": "Ready", "status": ready, "lastHeartbeatTime": heard},
    ]
    return {"metadata": {"name": name}, "status": {"conditions": conditions}}


def test_ready_is_what_the_condition_says() -> None:
    nodes = [node(), node("rack2", "False"), node("rack3", "Unknown"), {"metadata": {"name": "new"}, "status": {}}]
    assert read_ready(nodes) == {"rack1": True, "rack2": False, "rack3": False, "new": False}
    assert not is_ready({"status": {"conditions": []}})


def test_the_last_heartbeat_counts() -> None:
    assert heard_at(node()) == 1767225610
    assert heard_at({"status": {}}) == 0
