"""A change of one name until every rack answers it: rackrelay's way beside BIND's secondaries and MAAS, in turns.

BIND's secondaries: every region is a primary that takes our UPDATE and notifies every rack, as it must be set up to
work at all; everything else is BIND's default. MAAS: regions take the UPDATE, racks forward and cache. Both are
measured from the UPDATE on, which is generous: MAAS sends it from a loop of its own that runs every 0.1 s.
"""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from statistics import median

from tests.bench.maas import read_dns
from tests.bench.result import Goal, Result, percentile
from tests.bench.workshop import Workshop
from tests.bench.zone import configs
from tests.bench.zone.fleet import REGIONS, TTL_S, Fleet, Kind, run_fleet
from tests.bench.zone.stage import Stage

RUNS = 5
# No rival that takes longer is nearer to the goal for being waited for.
PATIENCE_S = 60
GOALS_MS = {20: 100.0, 100: 300.0}
FASTER = 15.0

Times = list[list[float]]


@dataclass(frozen=True)
class Plan:
    """How often, how long to wait for a change at most, and for how long caches keep what they have."""

    runs: int
    patience_s: float
    prime_s: float


def kinds() -> tuple[Kind, Kind, Kind]:
    """Ours first, then the rivals."""
    dns = read_dns()
    return (
        Kind("rackrelay", configs.ours_on_rack, configs.ours_on_region, racks_are_primaries=True),
        Kind("BIND secondaries", configs.secondary_on_rack, configs.secondary_on_region),
        Kind(
            f"MAAS {dns.version}",
            partial(configs.maas_on_rack, dns=dns),
            partial(configs.maas_on_region, dns=dns),
            caches=True,
        ),
    )


def run(workshop: Workshop) -> list[Result]:
    """For 20 and 100 racks, with all regions and with two of three black-holed: median and p99 against each rival."""
    results: list[Result] = []
    for count in (2,) if workshop.quick else tuple(GOALS_MS):
        results += measure(workshop, count)
    return results


def measure(workshop: Workshop, count: int) -> list[Result]:
    """All figures with so many racks."""
    plan = Plan(workshop.runs(RUNS), workshop.scale(PATIENCE_S, 2), workshop.scale(TTL_S, 1))
    with ExitStack() as stack:
        stage = stack.enter_context(Stage(workshop.image, workshop.folder("zone")))
        fleets = [stack.enter_context(run_fleet(kind, stage, count)) for kind in kinds()]
        for fleet in fleets:
            # The first change finds code that was never run and pages that were never read.
            fleet.change(plan.patience_s, 0.0)
            fleet.settle()
        whole = in_turns(fleets, plan, holes=False)
        holed = in_turns(fleets, plan, holes=True)
    racks, goal_ms = f"{count} racks", GOALS_MS.get(count)
    return [
        *build_rows(racks, whole, goal_ms),
        *build_rows(f"{racks}, 2 of 3 regions black-holed", holed, goal_ms),
    ]


def in_turns(fleets: Sequence[Fleet], plan: Plan, holes: bool) -> dict[str, Times]:
    """Each fleet's times of each run, of each rack. Another region is the one that is left in each run."""
    times: dict[str, Times] = {fleet.kind.name: [] for fleet in fleets}
    for number in range(plan.runs):
        dead = [region for region in range(REGIONS) if region != (REGIONS - 1 - number) % REGIONS] if holes else []
        for turn in range(len(fleets)):
            fleet = fleets[(number + turn) % len(fleets)]
            with fleet.black_holed(dead):
                times[fleet.kind.name].append(fleet.change(plan.patience_s, plan.prime_s))
            fleet.settle()
    return times


def build_rows(what: str, times: dict[str, Times], goal_ms: float | None) -> list[Result]:
    """A median and a p99 against each rival. The spread is that of our runs, each by its last rack."""
    ours, *rivals = times.items()
    return [
        _row(f"change visible, {what}, {statistic} beside {rival}", ours[1], (rival, theirs), (statistic, goal_ms))
        for rival, theirs in rivals
        for statistic in STATISTICS
    ]


STATISTICS: dict[str, Callable[[Sequence[float]], float]] = {
    "median": median,
    "p99": partial(percentile, share=0.99),
}


def _row(name: str, ours: Times, rival: tuple[str, Times], asked: tuple[str, float | None]) -> Result:
    statistic, goal_ms = asked
    of = STATISTICS[statistic]
    mine, theirs = (1000 * of([t for run in times for t in run]) for times in (ours, rival[1]))
    last = [1000 * max(run) for run in ours]
    goal = Goal(at_most=goal_ms if statistic == "p99" else None, ratio=FASTER if goal_ms else None)
    return Result(name, mine, "ms", len(ours), (min(last), max(last)), goal, theirs, rival[0], theirs / mine)
