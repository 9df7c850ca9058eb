"""Racks that leave on purpose: withdrawn first, stopped later, and nobody notices."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lab.cluster import Lab
from lab.demo.product import NAME_A, NAME_B, NAMESPACE, RACKS_A, RACKS_B, rack_pods
from lab.demo.report import Report
from lab.demo.steps import METADATA, lookup
from lab.paths import REPOSITORY

pytestmark = pytest.mark.e2e

REQUESTS = 1000
ROLLOUT_PATIENCE_S = 400
RACK4_B = "10.20.0.5"
OTHER_RACKS = f"""
apiVersion: rackrelay.dev/v1alpha1
kind: RackController
metadata: {{name: others, namespace: {NAMESPACE}}}
spec:
  regionRef: {{name: demo}}
  pods: {{nodeSelector: {{example.com/others: "true"}}}}
"""
# One line a request: its HTTP status, or 000 when there was none.
LOOP = f"""
ask() {{
    while [ ! -e /tmp/stop ]; do
        curl -s -o /dev/null -w '%{{http_code}}\\n' --max-time 15 {METADATA} >> /tmp/results
        sleep 0.1
    done
}}
for worker in 1 2 3 4; do ask & done
wait
"""


def drain_by_label(lab: Lab, node: str, on: bool) -> None:
    lab.kubectl("label", "node", node, "rackrelay.dev/drain=true" if on else "rackrelay.dev/drain-", "--overwrite")


def drain_by_spec(lab: Lab, *nodes: str) -> None:
    patch = json.dumps({"spec": {"drainedNodes": nodes}})
    lab.kubectl("patch", "rack", "demo", "-n", NAMESPACE, "--type=merge", "-p", patch)


def subnet_status(lab: Lab) -> dict[str, Any]:
    status: dict[str, Any] = lab.kubectl_json("get", "snet", "prov-a", "-n", NAMESPACE)["status"]
    return status


@dataclass(frozen=True)
class Remembering:
    """What machines that keep an address for the TTL have written down so far."""

    log: Path

    def requests(self) -> list[tuple[str, str]]:
        """(address, trouble or nothing) of each request."""
        # The last line may be half written.
        lines = self.log.read_text().split("\n")[:-1]
        return [(address, trouble) for address, trouble in map(json.loads, lines)]

    def count(self, address: str) -> int:
        """How many requests went to an address."""
        return sum(used == address for used, _ in self.requests())

    def failed(self) -> list[tuple[str, str]]:
        """The requests that failed."""
        return [request for request in self.requests() if request[1]]


@contextmanager
def remembering(lab: Lab, log: Path, machine: str, name: str, servers: Sequence[str]) -> Iterator[Remembering]:
    """Machines that keep an address for the TTL, in one machine's network."""
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    command = [*lab.site.enter(machine), sys.executable, "-m", "tests.e2e.remembering", name, *servers]
    with log.open("w") as out:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=out, env=environment, cwd=REPOSITORY)
    try:
        yield Remembering(log)
    finally:
        process.communicate(b"", timeout=60)
    assert process.returncode == 0


@contextmanager
def machines_remember(lab: Lab, folder: Path) -> Iterator[tuple[Remembering, Remembering]]:
    """Such machines on both networks."""
    with (
        remembering(lab, folder / "m1", "m1", NAME_A, RACKS_A) as on_a,
        remembering(lab, folder / "m2", "m2", NAME_B, RACKS_B) as on_b,
    ):
        yield on_a, on_b


@contextmanager
def requests_from_m1(lab: Lab) -> Iterator[list[str]]:
    """Requests from m1, four at a time, each with a lookup of its own; their statuses afterwards."""
    results: list[str] = []
    lab.run_in("m1", ["rm", "-f", "/tmp/stop", "/tmp/results"])
    loop = subprocess.Popen([*lab.enter("m1"), "bash", "-c", LOOP])
    try:
        yield results
    finally:
        lab.run_in("m1", ["touch", "/tmp/stop"])
        loop.wait(60)
        results += lab.run_in("m1", ["cat", "/tmp/results"]).stdout.split()


def test_label_drains_and_undrains(report: Report) -> None:
    drain_by_label(report.lab, "rack1", True)
    try:
        report.wait("rack1 withdrawn", lambda: lookup(report, "m1", NAME_A, RACKS_A[1]) == [RACKS_A[1]], 30)
        # It serves on: whoever still has its address gets an answer.
        assert lookup(report, "m1", NAME_A, RACKS_A[0]) == [RACKS_A[1]]
    finally:
        drain_by_label(report.lab, "rack1", False)
    report.wait("rack1 back", lambda: sorted(lookup(report, "m1", NAME_A, RACKS_A[1])) == sorted(RACKS_A), 30)


def test_draining_the_last_rack_keeps_it_and_says_so(report: Report) -> None:
    drain_by_spec(report.lab, "rack1", "rack2")
    try:

        def told() -> bool:
            status = subnet_status(report.lab)
            health = next(c for c in status["conditions"] if c["type"] == "RacksHealthy")
            return (health["status"], health["reason"]) == ("False", "AllDrained")

        report.wait("the Subnet says that only drained racks are left", told, 30)
        assert sorted(lookup(report, "m1", NAME_A, RACKS_A[0])) == sorted(RACKS_A)
    finally:
        drain_by_spec(report.lab)


def test_rolling_update_of_all_racks_fails_no_request(report: Report, tmp_path: Path) -> None:
    lab = report.lab
    before = set(rack_pods(lab))
    version = str(time.time_ns())
    with requests_from_m1(lab) as statuses, machines_remember(lab, tmp_path) as machines:
        patch = json.dumps({"spec": {"pods": {"annotations": {"example.com/version": version}}}})
        lab.kubectl("patch", "rack", "demo", "-n", NAMESPACE, "--type=merge", "-p", patch)

        def replaced() -> bool:
            rack = lab.kubectl_json("get", "rack", "demo", "-n", NAMESPACE)["status"]
            ready = next(c for c in rack["conditions"] if c["type"] == "Ready")
            return not before & set(rack_pods(lab)) and ready["status"] == "True"

        report.wait("every rack replaced", replaced, ROLLOUT_PATIENCE_S)

        def enough() -> bool:
            return _count(lab) >= REQUESTS and all(len(machine.requests()) >= REQUESTS for machine in machines)

        report.wait("enough requests", enough, 300)
    assert len(statuses) >= REQUESTS
    assert set(statuses) == {"200"}
    for machine in machines:
        assert machine.failed() == []


def test_deleted_rack_pod_fails_no_request_of_who_remembers_it(report: Report, tmp_path: Path) -> None:
    lab = report.lab
    labels = "app.kubernetes.io/component=rack"
    items = lab.kubectl_json("get", "pods", "-n", NAMESPACE, "-l", labels)["items"]
    pod = next(i["metadata"]["name"] for i in items if i["spec"]["nodeName"] == "rack2")
    with machines_remember(lab, tmp_path) as machines:
        on_a, on_b = machines
        report.wait("rack2 is used", lambda: on_a.count(RACKS_A[1]) and on_b.count(RACKS_B[0]), 60)
        lab.kubectl("delete", "pod", pod, "-n", NAMESPACE, "--wait=false")
        report.wait("the pod is gone", lambda: pod not in rack_pods(lab), 60)
        report.wait("rack2 back", lambda: sorted(lookup(report, "m1", NAME_A, RACKS_A[0])) == sorted(RACKS_A), 60)
    assert [machine.failed() for machine in machines] == [[], []]


def test_deleted_rack_controller_fails_no_request_of_who_remembers_its_racks(report: Report, tmp_path: Path) -> None:
    lab = report.lab
    lab.kubectl("label", "node", "rack4", "example.com/others=true", "--overwrite")
    lab.kubectl("apply", "-f", "-", stdin=OTHER_RACKS)
    try:
        report.wait("rack4 answers", lambda: RACK4_B in lookup(report, "m2", NAME_B, RACKS_B[1]), 120)
        (pod,) = (name for name in rack_pods(lab) if name.startswith("others-"))
        with machines_remember(lab, tmp_path) as machines:
            report.wait("rack4 is used", lambda: machines[1].count(RACK4_B), 60)
            lab.kubectl("delete", "rack", "others", "-n", NAMESPACE, "--wait=false")
            report.wait("rack4 withdrawn", lambda: RACK4_B not in lookup(report, "m2", NAME_B, RACKS_B[1]), 30)
            remembered = machines[1].count(RACK4_B)
            report.wait("rack4's pod is gone", lambda: pod not in rack_pods(lab), 60)
        assert [machine.failed() for machine in machines] == [[], []]
        assert machines[1].count(RACK4_B) > remembered
    finally:
        lab.kubectl("delete", "rack", "others", "-n", NAMESPACE, "--ignore-not-found")
        lab.kubectl("label", "node", "rack4", "example.com/others-")


def _count(lab: Lab) -> int:
    return int(lab.run_in("m1", ["wc", "-l", "/tmp/results"]).stdout.split()[0])
