"""The two loops that look at racks and regions: SOA probes at each region's pace, agent status once a second."""

import asyncio
import logging
import time
from collections.abc import Mapping

from rackrelay.controllers.context import Context, RegionKey
from rackrelay.controllers.queue import Key
from rackrelay.controllers.rounds import Rounds
from rackrelay.errors import NotReady
from rackrelay.model.observed import NameServer
from rackrelay.model.region import RegionController
from rackrelay.probe.agents import fetch_status
from rackrelay.probe.dns import Prober, Question
from rackrelay.zone.evidence import Judgement

PARALLEL_STATUS = 64
REPAIR_EVERY_S = 1.0

logger = logging.getLogger(__name__)

Judgements = dict[tuple[str, str], dict[str, Judgement]]


async def probe_forever(context: Context) -> None:
    """Probe every name server at its region's pace and have a zone decided anew when a judgement changed."""
    prober = Prober(lambda server, serial: context.book.answered(server, serial, context.now()))
    await prober.start()
    rounds = Rounds()
    before: Judgements = {}
    repaired = context.now()
    try:
        while True:
            # Answers that wait in the socket were given in time.
            await asyncio.sleep(0)
            now = context.now()
            regions = context.live_regions()
            _probe(context, prober, rounds.begin({r.meta.key: r.detection.interval_s for r in regions}, now))
            _note_pasts(context)
            repair = now - repaired >= REPAIR_EVERY_S
            repaired = now if repair else repaired
            before = _enqueue_changes(context, before, repair)
            await asyncio.sleep(rounds.rest_s(context.now()))
    finally:
        prober.close()


async def poll_forever(context: Context) -> None:
    """Ask every agent for its status once per interval."""
    limit = asyncio.Semaphore(PARALLEL_STATUS)
    while True:
        started = context.now()
        await asyncio.gather(
            *(
                _poll(context, region, server, limit)
                for region in context.live_regions()
                for server in context.servers_of(region)
            )
        )
        await asyncio.sleep(max(0.05, context.settings.status_interval_s - (context.now() - started)))


def _probe(context: Context, prober: Prober, turns: Mapping[RegionKey, bool]) -> None:
    """Ask the servers of the regions whose turn it is. `turns`: whether what has not been answered counts as missed."""
    owners = {server: region for region in context.live_regions() for server in context.servers_of(region)}
    sightings = context.book.track(owners, {server: region.detection for server, region in owners.items()})
    for sighting in sightings:
        region = owners[sighting.server]
        if region.meta.key not in turns:
            continue
        if sighting.waiting and turns[region.meta.key]:
            sighting.misses += 1
        sighting.waiting = True
        prober.ask(Question(sighting.server, region.domain))


def _note_pasts(context: Context) -> None:
    context.book.note_silence(context.now())
    for region in context.live_regions():
        for rack in context.racks_of(region):
            context.note_steadiness(rack)


def _enqueue_changes(context: Context, before: Judgements, repair: bool) -> Judgements:
    after: Judgements = {}
    for region in context.live_regions():
        key = region.meta.key
        after[key] = {v.name: v.judgement for rack in context.racks_of(region) for v in context.views_of(rack)}
        behind = _note_lag(context, region)
        if before.get(key) != after[key] or (behind and repair):
            context.queue.add(Key("zone", *key))
            for rack in context.racks_of(region):
                context.queue.add(Key("rack", *rack.meta.key))
    return after


def _note_lag(context: Context, region: RegionController) -> bool:
    """Whether a reachable server serves another serial than the published one; notes since when."""
    state = context.zones.get(region.meta.key)
    if state is None:
        return False
    behind = False
    for server in context.servers_of(region):
        sighting = context.book.find(server.namespace, server.name)
        if sighting is None:
            continue
        serial = context.book.serial(server)
        if serial is None or serial == state.zone.serial:
            sighting.behind_since = None
        else:
            sighting.behind_since = sighting.behind_since or context.now()
            behind = True
    return behind


async def _poll(context: Context, region: RegionController, server: NameServer, limit: asyncio.Semaphore) -> None:
    keys = context.keys.get(region.meta.key)
    sighting = context.book.find(server.namespace, server.name)
    if keys is None or sighting is None:
        return
    async with limit:
        try:
            status = await fetch_status(context.agents, server.address, keys.agent, time.time)
        except NotReady as error:
            sighting.status_misses += 1
            logger.debug("%s: %s", server.name, error)
            return
    changed = sighting.status != status
    sighting.status, sighting.status_at, sighting.status_misses = status, context.now(), 0
    if changed:
        _enqueue_region(context, region)


def _enqueue_region(context: Context, region: RegionController) -> None:
    context.queue.add(Key("zone", *region.meta.key))
    context.queue.add(Key("region", *region.meta.key))
    for rack in context.racks_of(region):
        context.queue.add(Key("rack", *rack.meta.key))
