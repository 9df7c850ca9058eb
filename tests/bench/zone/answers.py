"""How many questions a second a rack's name server answers while its zone changes, beside rivals that are idle."""

import re
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

from tests.bench.result import Goal, Result, of_runs
from tests.bench.workshop import Workshop
from tests.bench.zone.fleet import DOMAIN, LABEL, Fleet, run_fleet
from tests.bench.zone.stage import Stage
from tests.bench.zone.visible import kinds

RUNS = 5
LASTS_S = 5
CHANGE_EVERY_S = 0.2
CLIENTS = 10
# Far below what it can do, so that an answer's time is not that of a queue.
CALM_RATE = 1000


@dataclass(frozen=True)
class Load:
    """What dnsperf counted: answers a second, and the slowest answer in seconds."""

    rate: float
    worst_s: float


def run(workshop: Workshop) -> list[Result]:
    """Answers a second at full load, and the slowest answer at a thousand questions a second, of all kinds in turns."""
    lasts_s = workshop.scale(LASTS_S, 1)
    ours, *_ = kinds()
    rates: dict[str, list[float]] = {kind.name: [] for kind in kinds()}
    worst: dict[str, list[float]] = {kind.name: [] for kind in kinds()}
    folder = workshop.folder("answers")

    def measure(fleet: Fleet) -> None:
        rates[fleet.kind.name].append(load(fleet, folder, lasts_s).rate)
        worst[fleet.kind.name].append(1000 * load(fleet, folder, lasts_s, CALM_RATE).worst_s)

    with ExitStack() as stack:
        stage = stack.enter_context(Stage(workshop.image, folder))
        changing, *idle = (stack.enter_context(run_fleet(kind, stage, 2)) for kind in kinds())
        for _ in range(workshop.runs(RUNS)):
            for fleet in idle:
                measure(fleet)
            with changes(changing):
                measure(changing)
    mine, slowest = rates.pop(ours.name), worst.pop(ours.name)
    return [
        *(beside(mine, rival, median(theirs)) for rival, theirs in rates.items()),
        *(row for rival, theirs in worst.items() for row in slowest_beside(slowest, rival, theirs)),
    ]


def beside(mine: list[float], rival: str, theirs: float) -> Result:
    """Our rates beside what an idle rival answers."""
    name = f"DNS answers a second of a rack, {1 / CHANGE_EVERY_S:.0f} changes a second, beside idle {rival}"
    spread = (min(mine), max(mine))
    return Result(name, median(mine), "1/s", len(mine), spread, Goal(ratio=0.9), theirs, rival, median(mine) / theirs)


def slowest_beside(mine: list[float], rival: str, theirs: list[float]) -> Iterator[Result]:
    """The slowest answer of a run, usually and at worst, beside that of an idle rival: what of it is the machine's."""
    for word, choose in (("median", median), ("worst", max)):
        name = f"slowest of {CALM_RATE:,} answers a second meanwhile, {word} beside idle {rival}"
        found, other = of_runs(name, mine, "ms", Goal(at_most=10), worst=word == "worst"), float(choose(theirs))
        yield replace(found, theirs=other, rival=rival, ratio=other / found.ours)


@contextmanager
def changes(fleet: Fleet) -> Iterator[None]:
    """The zone changes again and again meanwhile."""
    over = threading.Event()

    def change() -> None:
        while not over.wait(CHANGE_EVERY_S):
            fleet.publish_next()

    worker = threading.Thread(target=change)
    worker.start()
    try:
        yield
    finally:
        over.set()
        worker.join()


def load(fleet: Fleet, folder: Path, lasts_s: int, rate: int | None = None) -> Load:
    """What the first rack answers to as many questions as it can take, or to so many a second.

    Raises:
        RuntimeError: dnsperf failed, or questions of a calm load stayed without an answer.
    """
    questions = folder / "questions"
    questions.write_text(f"{LABEL}.{DOMAIN} A\n")
    rack = fleet.racks[0]
    command = ["dnsperf", "-s", rack.address, "-p", str(rack.port), "-d", str(questions)]
    command += ["-l", str(lasts_s), "-c", str(CLIENTS), "-T", "1", *(["-Q", str(rate)] if rate else [])]
    done = subprocess.run([*fleet.enter, *command], capture_output=True, text=True, timeout=lasts_s + 30, check=False)
    if done.returncode:
        raise RuntimeError(f"dnsperf failed: {done.stderr}")
    found = Load(_number(done.stdout, "Queries per second:"), _number(done.stdout, r"max"))
    if rate and _number(done.stdout, "Queries lost:"):
        raise RuntimeError(f"questions were lost:\n{done.stdout}")
    return found


def _number(text: str, after: str) -> float:
    found = re.search(rf"{after}\s+([0-9.]+)", text)
    if found is None:
        raise RuntimeError(f"dnsperf did not say {after!r}:\n{text}")
    return float(found[1])
