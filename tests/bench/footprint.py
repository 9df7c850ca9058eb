"""What rackrelay itself takes while nothing changes: memory of the operator and the agents, the operator's CPU."""

import time

from lab.cluster import Lab
from tests.bench.processes import Process, find_module
from tests.bench.result import Goal, Result, of_runs
from tests.bench.workshop import Workshop

SETTLE_S = 10.0
IDLE_S = 30
CPU = "% of a core"


def run(workshop: Workshop) -> list[Result]:
    """CPU over the idle time, memory after it: the greatest of the operator's replicas, the median of the agents."""
    lab = workshop.installed().lab
    operators, agents = find(lab, "rackrelay"), find(lab, "rackrelay.agent")
    time.sleep(0 if workshop.quick else SETTLE_S)
    shares = measure_cpu([*operators, *agents], workshop.scale(IDLE_S, 3))
    of_operators, of_agents = shares[: len(operators)], shares[len(operators) :]
    memory = [operator.rss_mb() for operator in operators]
    return [
        of_runs("operator memory (RSS)", memory, "MB", Goal(at_most=120), worst=True),
        of_runs("agent memory (RSS)", [agent.rss_mb() for agent in agents], "MB", Goal()),
        of_runs("operator CPU, nothing changes, probes included", of_operators, CPU, Goal(at_most=25), worst=True),
        of_runs("agent CPU, nothing changes", of_agents, CPU, Goal()),
    ]


def find(lab: Lab, module: str) -> list[Process]:
    """The processes on all nodes that run a module of ours."""
    roots = [host.init_pid for host in lab.nodes.values() if host.init_pid]
    found = [process for root in roots for process in find_module(root, module)]
    if not found:
        raise RuntimeError(f"nothing runs {module} on the lab's nodes")
    return found


def measure_cpu(processes: list[Process], window_s: float) -> list[float]:
    """Each process's share of one core over the window, in percent."""
    began, before = time.monotonic(), [process.cpu_s() for process in processes]
    time.sleep(window_s)
    took = time.monotonic() - began
    return [100 * (process.cpu_s() - used) / took for process, used in zip(processes, before, strict=True)]
