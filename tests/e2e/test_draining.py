"""Racks that leave on purpose: withdrawn first, stopped later, and nobody notices."""

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from lab.cluster import Lab
from lab.demo.product import NAME_A, NAMESPACE, RACKS_A, rack_pods
from lab.demo.report import Report
from lab.demo.steps import METADATA, lookup

pytestmark = pytest.mark.e2e

REQUESTS = 1000
ROLLOUT_PATIENCE_S = 400
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
            return health["status"] == "False" and "drained" in health["message"]

        report.wait("the Subnet says that only drained racks are left", told, 30)
        assert sorted(lookup(report, "m1", NAME_A, RACKS_A[0])) == sorted(RACKS_A)
    finally:
        drain_by_spec(report.lab)


def test_rolling_update_of_all_racks_fails_no_request(report: Report) -> None:
    lab = report.lab
    before = set(rack_pods(lab))
    version = str(time.time_ns())
    with requests_from_m1(lab) as statuses:
        patch = json.dumps({"spec": {"pods": {"annotations": {"example.com/version": version}}}})
        lab.kubectl("patch", "rack", "demo", "-n", NAMESPACE, "--type=merge", "-p", patch)

        def replaced() -> bool:
            rack = lab.kubectl_json("get", "rack", "demo", "-n", NAMESPACE)["status"]
            ready = next(c for c in rack["conditions"] if c["type"] == "Ready")
            return not before & set(rack_pods(lab)) and ready["status"] == "True"

        report.wait("every rack replaced", replaced, ROLLOUT_PATIENCE_S)
        report.wait("enough requests", lambda: _count(lab) >= REQUESTS, 300)
    assert len(statuses) >= REQUESTS
    assert set(statuses) == {"200"}


def _count(lab: Lab) -> int:
    return int(lab.run_in("m1", ["wc", "-l", "/tmp/results"]).stdout.split()[0])
