"""`helm install` and `kubectl apply` until a machine is served, with the images on the nodes already."""

import time

from lab.cluster import Lab
from lab.demo import product
from lab.demo.report import Report
from lab.demo.steps import METADATA
from tests.bench.result import Goal, Result, of_runs
from tests.bench.workshop import PATIENCE_S, Workshop

RUNS = 5
ASK = ("curl", "-s", "--fail", "--max-time", "2", METADATA)


def run(workshop: Workshop) -> list[Result]:
    """Median and worst over the runs. What is installed at the end is the demo's example."""
    report = workshop.installed()
    times = [install_anew(report) for _ in range(workshop.runs(RUNS))]
    goal = Goal(at_most=30)
    return [
        of_runs("helm install to the first machine served, median", times, "s", goal),
        of_runs("helm install to the first machine served, worst", times, "s", goal, worst=True),
    ]


def install_anew(report: Report, *values: str) -> float:
    """Seconds until m1 has its metadata, from a cluster that has at most the resource definitions of ours.

    `values`: arguments for helm besides those of the demo.
    """
    lab = report.lab
    uninstall(lab)
    began = time.monotonic()
    product.install(lab, *values)
    product.apply_example(lab)
    report.wait("m1 is served", lambda: lab.run_in("m1", ASK, check=False).returncode == 0, PATIENCE_S)
    took = time.monotonic() - began
    product.wait_ready(report, PATIENCE_S)
    return took


def uninstall(lab: Lab) -> None:
    """Neither the operator nor anything that it made is left in the cluster."""
    lab.helm("uninstall", "rackrelay", "-n", product.OPERATOR_NAMESPACE, "--wait", "--ignore-not-found")
    for namespace in (product.NAMESPACE, product.OPERATOR_NAMESPACE):
        lab.kubectl("delete", "namespace", namespace, "--ignore-not-found", "--wait")
