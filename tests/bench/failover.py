"""A rack fails, in each of the ways a rack can, until every other rack has stopped answering with its address.

The failure itself is timed by the rack's own last answer: the rack is asked as often as the others, so it fails at most
one interval after that.
"""

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass

from lab.cluster import Lab
from lab.demo.product import NAME_A, RACKS_A, wait_ready
from lab.demo.report import Report
from lab.processes import kill_all
from rackrelay.names import PORT_DNS
from tests.bench.asker import Server, Task
from tests.bench.processes import descendants
from tests.bench.result import Goal, Result, of_runs
from tests.bench.watch import ask_all, watch
from tests.bench.workshop import PATIENCE_S, Workshop

VICTIM = "rack1"
SURVIVORS = ("rack2", "rack3")
RUNS = 5
INTERVAL_S = 0.01
FAILURE_PATIENCE_S = 60.0


@dataclass(frozen=True)
class Fault:
    """A way to fail, and the way back."""

    name: str
    strike: Callable[[Lab], None]
    mend: Callable[[Lab], None]
    goal_s: float


def run(workshop: Workshop) -> list[Result]:
    """Median and worst over the runs of each fault, each the time until the last of the surviving racks."""
    report = workshop.installed()
    results = []
    for fault in FAULTS if not workshop.quick else FAULTS[:1]:
        times = [fail(report, fault) for _ in range(workshop.runs(RUNS))]
        goal, name = Goal(at_most=fault.goal_s), f"rack {fault.name} to withdrawn everywhere"
        results += [
            of_runs(f"{name}, median", times, "s", goal),
            of_runs(f"{name}, worst", times, "s", goal, worst=True),
        ]
    return results


def fail(report: Report, fault: Fault) -> float:
    """Seconds until no surviving rack answers with the victim's address. All is Ready again afterwards."""
    lab = report.lab
    dead, alive = RACKS_A
    others, victim = tuple(_server(lab, node) for node in SURVIVORS), _server(lab, VICTIM)
    whole = Task(NAME_A, "A", (dead, alive), (*others, victim), 0.1, PATIENCE_S)
    _expect_all(lab, whole)
    failed = Task(NAME_A, "A", (alive,), others, INTERVAL_S, FAILURE_PATIENCE_S, heartbeat=victim)
    with watch(lab.enter("api"), failed) as watching:
        # A moment in which everybody is asked and nothing happens.
        time.sleep(0.5)
        try:
            fault.strike(lab)
            seen = watching.finish()
        finally:
            fault.mend(lab)
    lab.wait_ready(PATIENCE_S)
    wait_ready(report, PATIENCE_S)
    _expect_all(lab, whole)
    if seen.last_heard is None:
        raise RuntimeError(f"{VICTIM} was never heard")
    if missing := [server for server in others if server not in seen.answered]:
        raise RuntimeError(f"{missing} still answered with {dead} after {FAILURE_PATIENCE_S:.0f} s")
    return max(seen.answered.values()) - seen.last_heard


def _power_off(lab: Lab) -> None:
    lab.power_off(VICTIM)


def _power_on(lab: Lab) -> None:
    lab.power_on(VICTIM)


def _kill(lab: Lab) -> None:
    """Everything on the node is dead; its network stack is not and refuses whoever asks."""
    kill_all([_init(lab)])


def _boot(lab: Lab) -> None:
    lab.power_off(VICTIM)
    lab.power_on(VICTIM)


def _hang(lab: Lab) -> None:
    """Nothing on the node runs, and nothing is refused either."""
    _signal(lab, signal.SIGSTOP)


def _resume(lab: Lab) -> None:
    _signal(lab, signal.SIGCONT)


def _cut(lab: Lab) -> None:
    lab.cut(VICTIM)


def _heal(lab: Lab) -> None:
    lab.heal(VICTIM)


# The first is the one after which nothing has to start anew.
FAULTS = (
    Fault("hung", _hang, _resume, 1.3),
    Fault("cut off", _cut, _heal, 1.3),
    Fault("power cut", _power_off, _power_on, 1.3),
    Fault("killed", _kill, _boot, 1.0),
)


def _signal(lab: Lab, number: signal.Signals) -> None:
    for pid in [*descendants(_init(lab)), _init(lab)]:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue


def _init(lab: Lab) -> int:
    pid = lab.nodes[VICTIM].init_pid
    if pid is None:
        raise RuntimeError(f"{VICTIM} is off")
    return pid


def _server(lab: Lab, node: str) -> Server:
    return (lab.site.topology.node(node).address, PORT_DNS)


def _expect_all(lab: Lab, task: Task) -> None:
    seen = ask_all(lab.enter("api"), task)
    if missing := [server for server in task.servers if server not in seen.answered]:
        raise RuntimeError(f"{missing} did not answer {task.name} with {', '.join(task.wanted)}")
