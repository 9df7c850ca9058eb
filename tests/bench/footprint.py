"""What rackrelay itself takes while nothing changes: memory of the operator and the agents, the operator's CPU."""

import time

from lab.cluster import Lab
from tests.bench.processes import Process, find_module
from tests.bench.result import Goal, Result, of_runs
from tests.bench.workshop import Workshop

SETTLE_S = 10.0
IDLE_S = 30


def run(workshop: Workshop) -> list[Result]:
    """Memory after the idle time, CPU over it; the agents' spread is over all agents of the lab."""
    lab = workshop.installed().lab
    (operator,) = find(lab, "rackrelay")
    agents = find(lab, "rackrelay.agent")
    window_s = workshop.scale(IDLE_S, 3)
    time.sleep(0 if workshop.quick else SETTLE_S)
    shares, agent_shares = measure_cpu([operator], window_s), measure_cpu(agents, window_s)
    return [
        of_runs("operator memory (RSS)", [operator.rss_mb()], "MB", Goal(at_most=120)),
        of_runs("agent memory (RSS)", [agent.rss_mb() for agent in agents], "MB", Goal()),
        of_runs("operator CPU, nothing changes, probes included", shares, "% of a core", Goal(at_most=25)),
        of_runs("agent CPU, nothing changes", agent_shares, "% of a core", Goal()),
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
