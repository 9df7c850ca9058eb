"""Let faults rain on a lab while machines ask, and say what should not have happened."""

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from lab.cluster import Lab
from lab.demo import product
from lab.demo.product import NAME_A, NAME_B, RACKS_A, RACKS_B
from lab.demo.report import Report
from lab.demo.steps import answers_on_b
from lab.paths import REPOSITORY
from tests.e2e.chaos.faults import ADDRESSES, deal_actions, describe
from tests.e2e.chaos.judge import Fault, Seen, Subnet, find_dead_served, find_empty, find_unanswered

A = Subnet({"rack1": RACKS_A[0], "rack2": RACKS_A[1]})
B = Subnet({"rack2": RACKS_B[0], "rack3": RACKS_B[1], "rack4": ADDRESSES["rack4"]["prov0"]})


@dataclass(frozen=True)
class Storm:
    """How long, from which seed, and after how many seconds a dead address may not be served any more."""

    lasts_s: float
    seed: int
    bound_s: float


def prepare(report: Report) -> None:
    """All four nodes are racks, so that one of prov-b may die while another is ill."""
    report.lab.kubectl("label", "node", "rack4", "rackrelay.dev/role=rack", "--overwrite")
    everybody = sorted(B.racks.values())
    for rack in everybody:
        report.wait(f"{rack} answers with all", partial(answers_on_b, report, rack, everybody), 120)
    product.wait_ready(report)


def run_storm(lab: Lab, storm: Storm) -> list[str]:
    """What should not have happened, in words; empty when all went well. The lab is whole again afterwards."""
    with (
        witness(lab, "m1", NAME_A, list(A.racks.values())) as seen_a,
        witness(lab, "m2", NAME_B, list(B.racks.values())) as seen_b,
    ):
        start = time.monotonic()
        faults = rain(lab, storm, start)
    violations: list[str] = []
    for found, subnet in ((seen_a, A), (seen_b, B)):
        seen = [query.since(start) for query in found]
        violations += find_unanswered(seen, subnet, faults)
        violations += find_empty(seen, subnet)
        violations += find_dead_served(seen, subnet, faults, storm.bound_s)
    print(f"{len(seen_a) + len(seen_b)} queries, {len(faults)} faults, {len(violations)} violations")
    return violations


def rain(lab: Lab, storm: Storm, start: float) -> list[Fault]:
    """One fault after the other, with pauses in which some of them have settled and some have not.

    Their times are seconds since `start`.
    """
    chance = random.Random(storm.seed)
    faults = []
    actions = deal_actions(lab, chance)
    time.sleep(2)
    while time.monotonic() - start < storm.lasts_s:
        fault = next(actions).carry_out(chance.uniform(3, 12)).since(start)
        print(describe(fault), flush=True)
        faults.append(fault)
        time.sleep(chance.choice([0.5, 3, 20]))
    time.sleep(2)
    return faults


@contextmanager
def witness(lab: Lab, machine: str, name: str, servers: Sequence[str]) -> Iterator[list[Seen]]:
    """What a machine's network sees meanwhile; the list is full when the context ends."""
    seen: list[Seen] = []
    environment = {**os.environ, "PYTHONPATH": f"{REPOSITORY}:{REPOSITORY / 'operator'}"}
    command = [*lab.site.enter(machine), sys.executable, "-m", "tests.e2e.chaos.witness", name, *servers]
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "seen"
        with log.open("w") as out:
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=out, env=environment, cwd=REPOSITORY)
        try:
            yield seen
        finally:
            process.communicate(b"", timeout=30)
        if process.returncode:
            raise RuntimeError(f"the witness on {machine} failed with exit code {process.returncode}")
        for line in log.read_text().splitlines():
            server, sent, answered, addresses = json.loads(line)
            seen.append(Seen(server, sent, answered, tuple(addresses)))
