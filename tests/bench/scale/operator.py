"""The operator at 1,000 racks and 500 subnets: memory, CPU, what one change costs, what a restart does.

The racks are fakes on loopback addresses of one network namespace; API server and etcd are real.
"""

import time

from rackrelay.cluster.client import NODE
from rackrelay.names import LABEL_DRAIN
from tests.api.operator.cluster import wait_for
from tests.bench.result import Goal, Result, of_runs
from tests.bench.scale.fake_racks import FakeRack
from tests.bench.scale.site import RACKS_A_SUBNET, LargeSite, open_large_site
from tests.bench.workshop import Workshop

RACKS, FEW_RACKS = 1_000, 100
CHANGES = 5
QUIET_S, QUIET_PATIENCE_S = 5, 60
CHANGE_PATIENCE_S = 60.0
IDLE_S = 30
CPU = "% of a core"


def run(workshop: Workshop) -> list[Result]:
    """All figures of a large site, and what a change costs in one with a tenth of its racks."""
    few = [] if workshop.quick else measure_few(workshop, FEW_RACKS)
    return [*measure_many(workshop, workshop.scale(RACKS, 10)), *few]


def measure_few(workshop: Workshop, count: int) -> list[Result]:
    """The costs of a change alone: they should be those of a large site."""
    with open_large_site(workshop.folder("scale-few"), count) as site:
        site.rig.operator.start()
        site.wait_published()
        wait_quiet(site, workshop)
        return measure_changes(site, workshop, f"{count:,} fake racks, {count // 2:,} subnets")


def measure_many(workshop: Workshop, count: int) -> list[Result]:
    """All figures of one site."""
    what = f"{count:,} fake racks, {count // 2:,} subnets"
    with open_large_site(workshop.folder("scale"), count) as site:
        began = time.monotonic()
        site.rig.operator.start()
        site.wait_published()
        start = of_runs(f"operator start to the whole zone published, {what}", [time.monotonic() - began], "s", Goal())
        wait_quiet(site, workshop)
        idle = measure_idle(site, workshop.scale(IDLE_S, 2), what)
        change = measure_changes(site, workshop, what)
        return [start, *idle, *change, *measure_restart(site, workshop.scale(IDLE_S, 2), what)]


def measure_idle(site: LargeSite, window_s: float, what: str) -> list[Result]:
    """Memory, CPU and writes while nothing changes."""
    operator, writes = site.operator, site.writes()
    began, used = time.monotonic(), operator.cpu_s()
    time.sleep(window_s)
    share = 100 * (operator.cpu_s() - used) / (time.monotonic() - began)
    lost = [float(len(site.racks) - site.healthy())]
    return [
        of_runs(f"operator memory (RSS), {what}", [operator.rss_mb()], "MB", Goal(at_most=120)),
        of_runs(f"operator CPU, nothing changes, probes included, {what}", [share], CPU, Goal(at_most=25)),
        of_runs(f"API writes while nothing changes, {what}", [site.writes() - writes], "", Goal(at_most=0)),
        of_runs(f"racks not healthy although they are, {what}", lost, "", Goal(at_most=0)),
    ]


def measure_changes(site: LargeSite, workshop: Workshop, what: str) -> list[Result]:
    """Racks drained one after the other: each from the Node's label to the signed UPDATE, and what was written."""
    times, writes = [], []
    for rack in site.racks[: workshop.runs(CHANGES) * RACKS_A_SUBNET : RACKS_A_SUBNET]:
        written = site.writes()
        times.append(1000 * drain(site, rack))
        wait_quiet(site, workshop)
        writes.append(float(site.writes() - written))
    return [
        of_runs(f"one rack changes to the signed update, {what}", times, "ms", Goal(at_most=100)),
        of_runs(f"API writes for one rack's change, {what}", writes, "", Goal(at_most=10)),
    ]


def drain(site: LargeSite, rack: FakeRack) -> float:
    """Seconds from the label on a rack's Node until the UPDATE came that takes its address out of the zone.

    CHANGE_PATIENCE_S when it did not come.
    """
    wait_for("the rack is in the zone", lambda: site.counts(rack.provisioning)["has"])
    began = time.monotonic()
    site.rig.cluster.patch(NODE, "", rack.name, {"metadata": {"labels": {LABEL_DRAIN: "true"}}})
    while time.monotonic() < began + CHANGE_PATIENCE_S:
        if not site.counts(rack.provisioning)["has"]:
            return float(site.counts()["update_at"]) - began
        time.sleep(0.01)
    return CHANGE_PATIENCE_S


def measure_restart(site: LargeSite, window_s: float, what: str) -> list[Result]:
    """What an operator does that was killed and finds everything as it should be."""
    before, written = site.counts(), site.writes()
    site.rig.operator.kill()
    site.rig.operator.start()
    site.rig.operator.wait_started()
    time.sleep(window_s)
    updates = site.counts()["updates"] - before["updates"]
    return [
        of_runs(f"DNS updates of a restart with nothing changed, {what}", [updates], "", Goal(at_most=0)),
        of_runs(
            f"API writes of a restart with nothing changed, {what}", [site.writes() - written], "", Goal(at_most=0)
        ),
    ]


def wait_quiet(site: LargeSite, workshop: Workshop) -> None:
    """Neither UPDATEs nor writes for a while; what does not become quiet is measured as it is."""
    end = time.monotonic() + QUIET_PATIENCE_S
    before: tuple[int, int] | None = None
    while time.monotonic() < end:
        now = (site.counts()["updates"], site.writes())
        if now == before:
            return
        before = now
        time.sleep(workshop.scale(QUIET_S, 1))
