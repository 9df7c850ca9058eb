"""Racks that are taken out of the zone although nothing is wrong with them, while packets get lost.

Of the operator's probes and of their answers one in a hundred each, so that about one probe in fifty misses. Heartbeats
come by TCP, which repairs what is lost: racks are heard by their region all the time, until the region is made to keep
to itself whom it hears and the operator has nothing but its probes.
"""

import time

from tests.bench.result import Goal, Result, of_runs
from tests.bench.scale.fake_racks import DEAFEN, LOSE
from tests.bench.scale.site import LargeSite, open_large_site
from tests.bench.workshop import Workshop

RACKS = 1_000
LOSS = 0.01
# The goal is for an hour.
WINDOW_S, ALONE_S = 3_600, 120
SETTLE_S = 15


def run(workshop: Workshop) -> list[Result]:
    """How many were withdrawn, with what regions hear and without."""
    count = workshop.scale(RACKS, 10)
    window_s, alone_s = workshop.scale(WINDOW_S, 3), workshop.scale(ALONE_S, 3)
    what = f"{count:,} healthy fake racks, {LOSS:.0%} of packets lost each way"
    with open_large_site(workshop.folder("withdrawals"), count, LOSS) as site:
        site.rig.operator.start()
        site.wait_published()
        time.sleep(workshop.scale(SETTLE_S, 1))
        site.counts(LOSE)
        heard = watch(site, window_s)
        site.counts(DEAFEN)
        # What regions said last counts for some seconds more.
        time.sleep(workshop.scale(SETTLE_S, 1))
        alone = watch(site, alone_s)
    return [
        of_runs(f"false withdrawals in {window_s} s, {what}", [heard], "", Goal(at_most=0)),
        of_runs(f"false withdrawals in {alone_s} s by probes alone, {what}", [alone], "", Goal()),
    ]


def watch(site: LargeSite, window_s: float) -> float:
    """How many addresses left the zone meanwhile.

    Raises:
        RuntimeError: nothing was lost, so that this says nothing.
    """
    before = site.counts()
    time.sleep(window_s)
    after = site.counts()
    if after["lost"] == before["lost"] and after["probes"] - before["probes"] > 10 / LOSS:
        raise RuntimeError("no packet was lost")
    return float(after["withdrawn"] - before["withdrawn"])
