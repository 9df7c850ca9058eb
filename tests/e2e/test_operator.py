"""The operator as the cluster sees it: restarts, kills, an API server that goes away, the chart's own test."""

import json
import random
import time
from functools import partial
from typing import Any

import pytest

from lab.binaries import find_binary
from lab.cluster import Lab
from lab.demo import product
from lab.demo.product import NAME_B, NAMESPACE, RACKS_B
from lab.demo.report import Report
from lab.demo.steps import METADATA, answers_on_b, lookup
from lab.errors import LabError

pytestmark = pytest.mark.e2e

KINDS = "region,rack,snet,configmaps,services,statefulsets,daemonsets,secrets,pods"
API_OUTAGE_S = 60
# The kubelet waits longer before each restart: 10 s, 20 s, 40 s.
KILLS = 3


def versions(lab: Lab) -> dict[str, str]:
    """Object -> resourceVersion of everything in the region's namespace; of pods only what kubelets do not write."""
    items = lab.kubectl_json("get", KINDS, "-n", NAMESPACE)["items"]
    return {f"{i['kind']}/{i['metadata']['name']}": version(i) for i in items}


def version(item: dict[str, Any]) -> str:
    metadata = item["metadata"]
    if item["kind"] != "Pod":
        return str(metadata["resourceVersion"])
    # A kubelet reports what becomes of a container long after it was killed.
    return json.dumps([metadata["uid"], metadata.get("deletionTimestamp"), metadata.get("annotations")])


def operator_pods(lab: Lab) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = lab.kubectl_json("get", "pods", "-n", product.OPERATOR_NAMESPACE)["items"]
    return items


def restarts(lab: Lab) -> dict[str, list[int]]:
    """How often the containers of each of the operator's pods have started anew."""
    return {
        pod["metadata"]["name"]: [status["restartCount"] for status in pod["status"]["containerStatuses"]]
        for pod in operator_pods(lab)
    }


def restart_operator(report: Report) -> None:
    """Its pods are others, and one of them leads."""
    lab = report.lab
    old = {p["metadata"]["uid"] for p in operator_pods(lab)}
    lab.kubectl("delete", "pod", "-n", product.OPERATOR_NAMESPACE, "--all", "--force", "--grace-period=0")

    def renewed() -> bool:
        pods = operator_pods(lab)
        lease = lab.kubectl_json("get", "lease", "rackrelay", "-n", product.OPERATOR_NAMESPACE)
        leader = lease["spec"].get("holderIdentity", "").rpartition("_")[0]
        return leader in {p["metadata"]["name"] for p in pods if p["metadata"]["uid"] not in old}

    report.wait("the operator reconciles again", renewed, 60)


def drain(lab: Lab, *nodes: str) -> None:
    """These nodes' racks are drained, all others are not."""
    patch = json.dumps({"spec": {"drainedNodes": nodes}})
    lab.kubectl("patch", "rack", "demo", "-n", NAMESPACE, "--type=merge", "-p", patch)


def served_serials(report: Report) -> list[str]:
    """The serial at each rack."""
    racks = (("m1", "10.10.0.2"), ("m1", "10.10.0.3"), ("m2", "10.20.0.3"), ("m2", "10.20.0.4"))
    found = []
    for host, rack in racks:
        found += lookup(report, host, "maas-internal", rack, "SOA")[2:3]
    return found


def test_operators_namespace_is_restricted_and_its_pods_run(report: Report) -> None:
    namespace = report.lab.kubectl_json("get", "namespace", product.OPERATOR_NAMESPACE)
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    # Admission judges pods when they are made, so these must be younger than the label.
    restart_operator(report)


def test_restart_with_nothing_changed_writes_nothing(report: Report) -> None:
    before, serials = versions(report.lab), served_serials(report)
    restart_operator(report)
    # Long enough for everything that happens at a start: LISTs, the first probes and statuses, all reconcilers.
    time.sleep(10)
    assert versions(report.lab) == before
    assert served_serials(report) == serials


def test_api_outage_leaves_machines_served_and_heals_by_itself(report: Report) -> None:
    lab = report.lab
    before = restarts(lab)
    lab.stop_api()
    try:
        ends = time.monotonic() + API_OUTAGE_S
        while time.monotonic() < ends:
            assert sorted(lookup(report, "m2", NAME_B, RACKS_B[0])) == sorted(RACKS_B)
            report.lab.run_in("m1", ["curl", "-sS", "--fail", "--max-time", "5", METADATA])
            time.sleep(2)
    finally:
        lab.start_api()
    lab.wait_ready()
    drain(lab, "rack3")
    try:
        report.wait("rack3 drained", lambda: lookup(report, "m2", NAME_B, RACKS_B[0]) == ["10.20.0.3"], 60)
    finally:
        drain(lab)
    report.wait("rack3 back", lambda: sorted(lookup(report, "m2", NAME_B, RACKS_B[0])) == sorted(RACKS_B), 60)
    assert restarts(lab) == before


def test_operator_killed_at_any_moment_loses_nothing(report: Report) -> None:
    lab, chance = report.lab, random.Random(3)
    for round_number in range(KILLS):
        drain(lab, *(["rack3"] if round_number % 2 == 0 else []))
        time.sleep(chance.uniform(0, 0.3))
        kill_operator(lab)
        wanted = ["10.20.0.3"] if round_number % 2 == 0 else sorted(RACKS_B)
        for rack in RACKS_B:
            report.wait(
                f"{rack} answers {wanted}",
                partial(answers_on_b, report, rack, wanted),
                120,
            )
    assert len(set(served_serials(report))) == 1


def kill_operator(lab: Lab) -> None:
    """SIGKILL to the operator's process, from its node; the kubelet starts it anew."""
    for pod in operator_pods(lab):
        for status in pod["status"]["containerStatuses"]:
            container = status.get("containerID", "").removeprefix("containerd://")
            argv = [str(find_binary("ctr")), "-n", "k8s.io", "tasks", "kill", "--signal", "SIGKILL", container]
            # It may be down already, between two starts.
            lab.run_in(pod["spec"]["nodeName"], argv, check=False)


def test_drains_of_nodes_leave_one_operator_running(report: Report) -> None:
    """The two are on two nodes, and who drains both gets one after the other."""
    lab = report.lab

    def may_be_disrupted() -> bool:
        budget = lab.kubectl_json("get", "pdb", "rackrelay", "-n", product.OPERATOR_NAMESPACE)
        return bool(budget["status"].get("disruptionsAllowed") == 1 and len(operator_pods(lab)) == 2)

    report.wait("both operators are Ready", may_be_disrupted, 120)
    first, second = operator_pods(lab)
    assert first["spec"]["nodeName"] != second["spec"]["nodeName"]
    evict(lab, first["metadata"]["name"])
    # What the API answers with 429.
    with pytest.raises(LabError, match="TooManyRequests"):
        evict(lab, second["metadata"]["name"])
    report.wait("both operators are Ready again", may_be_disrupted, 120)


def evict(lab: Lab, pod: str) -> None:
    """What `kubectl drain` asks for each pod, which the API may refuse."""
    metadata = {"namespace": product.OPERATOR_NAMESPACE, "name": pod}
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": metadata}
    path = f"/api/v1/namespaces/{product.OPERATOR_NAMESPACE}/pods/{pod}/eviction"
    lab.kubectl("create", "--raw", path, "-f", "-", stdin=json.dumps(eviction))


def test_lost_region_is_not_noticed_by_machines(report: Report) -> None:
    lab = report.lab
    lab.kubectl("delete", "pod", "demo-region-0", "-n", NAMESPACE, "--force", "--grace-period=0")
    for _ in range(20):
        lab.run_in("m1", ["curl", "-sS", "--fail", "--max-time", "5", METADATA])


def test_helm_test_asks_a_rack(report: Report) -> None:
    lab = report.lab
    printed = lab.helm("test", "rackrelay", "-n", product.OPERATOR_NAMESPACE, "--logs")
    assert "Succeeded" in printed
    assert NAME_B in printed
