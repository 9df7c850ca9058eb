"""The tables of `status`."""

from typing import Any

from lab.cluster import Lab
from lab.site import Site
from lab.status import Picture, pod_row, render_status, render_table
from lab.topology import DEFAULT, load_topology


def pod(**status: Any) -> dict[str, Any]:
    """A pod with an agent as sidecar and one container."""
    sidecar = {"name": "agent", "restartPolicy": "Always"}
    return {
        "metadata": {"namespace": "demo", "name": "demo-rack-x"},
        "spec": {
            "nodeName": "rack1",
            "initContainers": [{"name": "prepare"}, sidecar],
            "containers": [{"name": "named"}],
        },
        "status": {"phase": "Running"} | status,
    }


def state(name: str, ready: bool = True, **more: Any) -> dict[str, Any]:
    return {"name": name, "ready": ready, "restartCount": 1, "state": {"running": {}}} | more


def test_columns_are_as_wide_as_they_must_be() -> None:
    assert render_table(("A", "B"), [("long cell", "x"), ("y", "")]) == "A          B\nlong cell  x\ny"


def test_sidecars_count_and_init_containers_do_not() -> None:
    seen = pod(containerStatuses=[state("named")], initContainerStatuses=[state("prepare", False), state("agent")])
    assert pod_row(seen) == ("demo/demo-rack-x", "rack1", "2/2", "Running", "2")


def test_the_reason_for_waiting_is_shown() -> None:
    waiting = state("named", ready=False, state={"waiting": {"reason": "CrashLoopBackOff"}})
    assert pod_row(pod(containerStatuses=[waiting]))[2:4] == ("0/2", "CrashLoopBackOff")


def test_a_pod_that_is_not_scheduled_yet() -> None:
    seen = pod(phase="Pending")
    del seen["spec"]["nodeName"]
    assert pod_row(seen) == ("demo/demo-rack-x", "-", "0/2", "Pending", "0")


def test_a_cut_cable_and_a_silent_api_server_are_seen() -> None:
    lab = Lab(Site("none", load_topology(DEFAULT)))
    text = render_status(lab, Picture(frozenset({"rack2-prov1"}), None, None, {}))
    assert "API server DOES NOT ANSWER at https://172.30.0.10:6443" in text
    assert "prov0 10.10.0.3, fd00:10::3 on prov-a; prov1 10.20.0.3 CUT on prov-b" in text
    assert "pods: unknown" in text


def test_ready_nodes_and_roles_are_seen() -> None:
    lab = Lab(Site("none", load_topology(DEFAULT)))
    ready = dict.fromkeys(lab.nodes, True) | {"rack3": False}
    lines = render_status(lab, Picture(frozenset(), ready, [], {"rack3": "rack"})).splitlines()
    assert lines[0].startswith("lab none: 5 of 6 nodes Ready, API server answers")
    assert next(line for line in lines if line.startswith("rack3")).split()[:4] == ["rack3", "OFF", "NO", "rack"]
