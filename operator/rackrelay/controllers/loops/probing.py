"""Probe every name server at its region's pace, judge every rack, and say what changed."""

import asyncio
import logging
from collections.abc import Iterable, Mapping

from rackrelay.controllers import work
from rackrelay.controllers.health.sighting import YOUNG_FACTOR, Sighting
from rackrelay.controllers.loops.rounds import Rounds
from rackrelay.controllers.routing import follow_with_racks
from rackrelay.controllers.state.context import Context
from rackrelay.controllers.state.region_state import RegionKey
from rackrelay.controllers.work import Key
from rackrelay.model.region import RegionController
from rackrelay.nameservers.probe import Prober, Question

# So many are asked at once, and all within this part of an interval: the kernel keeps a few hundred answers at most.
BATCH = 100
SPREAD_FACTOR = 0.4
REPAIR_EVERY_S = 1.0
SAY_LATE_EVERY_S = 60.0

logger = logging.getLogger(__name__)


async def probe_forever(context: Context) -> None:
    """Probe every name server at its region's pace and have a zone decided anew when a judgement changed."""
    prober = Prober(lambda server, serial: context.health.answered(server, serial, context.now()))
    rounds = Rounds()
    repaired, said_at = context.now(), float("-inf")
    try:
        while True:
            now = context.now()
            turns = rounds.begin({r.meta.key: r.detection.interval_s for r in context.inventory.live_regions()}, now)
            if not all(turns.values()) and now - said_at > SAY_LATE_EVERY_S:
                said_at = now
                logger.warning("this operator was busy for too long: silence of that time counts for nothing")
            count_misses(context, prober, turns)
            repair = now - repaired >= REPAIR_EVERY_S
            repaired = now if repair else repaired
            enqueue_changes(context, repair)
            await ask(context, prober, turns)
            if await look_again(context, prober, rounds.rest_s(context.now())):
                enqueue_changes(context, repair=False)
            await asyncio.sleep(rounds.rest_s(context.now()))
    finally:
        prober.close()


def count_misses(context: Context, prober: Prober, turns: Mapping[RegionKey, bool]) -> None:
    """Count who was asked and did not answer. `turns`: whether that counts, for the regions that are asked again.

    What waits in the socket was answered in time.
    """
    prober.drain()
    counted = {region for region, counts in turns.items() if counts}
    _count(context, context.health.sightings_of(counted), context.now())


def _count(context: Context, asked: Iterable[Sighting], now: float) -> bool:
    """Whether any of these has missed a question that was not sent just now."""
    missed = context.health.count_misses(asked, now)
    for sighting in missed:
        context.tally.misses[sighting.region_key] += 1
    return bool(missed)


async def ask(context: Context, prober: Prober, turns: Mapping[RegionKey, bool]) -> None:
    """Ask the servers of the regions whose turn it is for the SOA, a batch at a time."""
    owners = context.inventory.owners()
    context.health.track(owners)
    asked = [(server, region) for server, region in owners.items() if region.meta.key in turns]
    # Nobody's next turn may be held up, the fastest region's neither.
    fastest_s = min((region.detection.interval_s for region in context.inventory.live_regions()), default=0.0)
    pause_s = SPREAD_FACTOR * fastest_s * BATCH / max(BATCH, len(asked))
    for first in range(0, len(asked), BATCH):
        if first:
            await asyncio.sleep(pause_s)
        now = context.now()
        for server, region in asked[first : first + BATCH]:
            if context.health.asked(server, now):
                context.tally.probes[region.meta.key] += 1
                prober.ask(Question(server, region.domain))


async def look_again(context: Context, prober: Prober, rest_s: float) -> bool:
    """Whether a server that lacked one miss has become silent, half an interval after it was asked.

    For everybody else the next round is soon enough. Nobody's is held up: it returns within `rest_s`.
    """
    verge = context.health.on_the_verge()
    wait_s = YOUNG_FACTOR * min((s.detection.interval_s for s in verge), default=0.0)
    if not 0 < wait_s <= rest_s:
        return False
    began = context.now()
    await asyncio.sleep(wait_s)
    prober.drain()
    now = context.now()
    # Whoever is late has not looked when the answers came.
    if now - began > 2 * wait_s:
        return False
    return _count(context, verge, now)


def enqueue_changes(context: Context, repair: bool) -> None:
    """Have zones decided anew whose racks are judged otherwise than before, or whose servers lag.

    `repair`: whether it is time again for those that lag.
    """
    for region in context.inventory.live_regions():
        changes = context.health.judge(region.meta.key, context.inventory.rack_groups_of(region), context.now())
        if changes.racks:
            follow_with_racks(context, region)
        behind = note_lag(context, region)
        if any(changes) or (behind and repair):
            context.queue.add(Key(work.ZONE, *region.meta.key))


def note_lag(context: Context, region: RegionController) -> bool:
    """Whether a reachable server serves another serial than the published one; notes since when."""
    state = context.regions[region.meta.key].zone
    if state is None:
        return False
    return context.health.note_lag(context.inventory.servers_of(region), state.zone.serial, context.now())
