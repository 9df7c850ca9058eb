"""Power cut of a rack until every other rack has stopped answering with its address.

The cut itself is timed by the rack's own last answer: the rack is asked as often as the others, so the cut lies at most
one interval after it.
"""

import time

from lab.cluster import Lab
from lab.demo.product import NAME_A, RACKS_A, wait_ready
from lab.demo.report import Report
from rackrelay.names import PORT_DNS
from tests.bench.asker import Server, Task
from tests.bench.result import Goal, Result, of_runs
from tests.bench.watch import ask_all, watch
from tests.bench.workshop import PATIENCE_S, Workshop

VICTIM = "rack1"
SURVIVORS = ("rack2", "rack3")
INTERVAL_S = 0.01
CUT_PATIENCE_S = 60.0


def run(workshop: Workshop) -> list[Result]:
    """Median and worst over the runs, each the time until the last of the surviving racks."""
    report = workshop.installed()
    times = [cut_power(report) for _ in range(workshop.runs(5))]
    goal = Goal(at_most=1.3)
    return [
        of_runs("rack power cut to withdrawn everywhere, median", times, "s", goal),
        of_runs("rack power cut to withdrawn everywhere, worst", times, "s", goal, worst=True),
    ]


def cut_power(report: Report) -> float:
    """Seconds from the cut until no surviving rack answers with the victim's address. All is Ready again afterwards."""
    lab = report.lab
    dead, alive = RACKS_A
    others = tuple(_server(lab, node) for node in SURVIVORS)
    task = Task(NAME_A, "A", (alive,), others, INTERVAL_S, CUT_PATIENCE_S, heartbeat=_server(lab, VICTIM))
    everyone = (*others, _server(lab, VICTIM))
    whole = Task(NAME_A, "A", (dead, alive), everyone, 0.1, PATIENCE_S)
    _expect_all(lab, whole)
    with watch(lab.enter("api"), task) as watching:
        # A moment in which everybody is asked and nothing happens.
        time.sleep(0.5)
        lab.power_off(VICTIM)
        try:
            seen = watching.finish()
        finally:
            lab.power_on(VICTIM)
    lab.wait_ready(PATIENCE_S)
    wait_ready(report, PATIENCE_S)
    _expect_all(lab, whole)
    if seen.last_heard is None:
        raise RuntimeError(f"{VICTIM} was never heard")
    if missing := [server for server in others if server not in seen.answered]:
        raise RuntimeError(f"{missing} still answered with {dead} after {CUT_PATIENCE_S:.0f} s")
    return max(seen.answered.values()) - seen.last_heard


def _server(lab: Lab, node: str) -> Server:
    return (lab.site.topology.node(node).address, PORT_DNS)


def _expect_all(lab: Lab, task: Task) -> None:
    seen = ask_all(lab.enter("api"), task)
    if missing := [server for server in task.servers if server not in seen.answered]:
        raise RuntimeError(f"{missing} did not answer {task.name} with {', '.join(task.wanted)}")
