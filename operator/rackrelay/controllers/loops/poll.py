"""Ask every agent for its status: often at a small site; at a large one it is the regions that bring news."""

import asyncio
import logging
import math
import random
import time
from collections.abc import Callable

from rackrelay.agents.status import fetch_status
from rackrelay.controllers.routing import enqueue_region
from rackrelay.controllers.state.context import Context
from rackrelay.errors import NotReady, Unreadable
from rackrelay.model.region import RegionController
from rackrelay.nameservers.server import NameServer
from rackrelay.protocol.status_document import AgentStatus

LOOK_EVERY_S = 0.25
PARALLEL = 64
SMALL_SITE = 100
# An answer costs two milliseconds. Agents that a region hears bring their news there, so these polls only make sure.
POLLS_PER_S = 10
# Two in a row may fail before an agent counts as silent, which is after five seconds.
UNHEARD_INTERVAL_S = 2.0

# When each agent was asked last.
Turns = dict[NameServer, float]

logger = logging.getLogger(__name__)


async def poll_forever(context: Context, chance: Callable[[], float] = random.random) -> None:
    """Ask each agent when its turn comes. `chance` gives numbers from 0 to 1, so that turns do not fall together."""
    under_way: set[asyncio.Task[None]] = set()
    turns: Turns = {}
    try:
        while True:
            under_way = {task for task in under_way if not task.done()}
            turns = {server: at for server, at in turns.items() if server in context.inventory.owners()}
            for region in context.inventory.live_regions():
                for server in choose_next(context, region, turns, PARALLEL - len(under_way), chance):
                    under_way.add(asyncio.create_task(poll(context, region, server)))
            await asyncio.sleep(LOOK_EVERY_S)
    finally:
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)


def interval_s(servers: int, heard: bool, shortest_s: float) -> float:
    """Seconds between two polls of one of so many servers. `heard`: a region hears its agent."""
    spread_s = shortest_s if servers <= SMALL_SITE else max(shortest_s, servers / POLLS_PER_S)
    return spread_s if heard else max(shortest_s, min(spread_s, UNHEARD_INTERVAL_S))


def choose_next(
    context: Context, region: RegionController, turns: Turns, limit: int, chance: Callable[[], float] = random.random
) -> list[NameServer]:
    """Up to so many of a region's servers whose agents' turn it is; their next turn is then a while away."""
    if context.regions[region.meta.key].keys is None:
        return []
    servers = context.inventory.servers_of(region)
    now, shortest_s = context.now(), context.settings.status_interval_s
    heard_s = interval_s(len(servers), True, shortest_s)
    unheard_s = interval_s(len(servers), False, shortest_s)
    due = []
    for server in servers:
        waited_s, sighting = now - turns.get(server, -math.inf), context.health.find(server.namespace, server.name)
        if sighting is not None and waited_s >= (heard_s if sighting.is_heard(now) else unheard_s):
            due.append(server)
    chosen = sorted(due, key=lambda server: turns.get(server, -math.inf))[: max(0, limit)]
    for server in chosen:
        # Turns that are far apart do not fall together; those of a small site are regular.
        turns[server] = now - chance() * (heard_s - shortest_s) / 2
    return chosen


async def poll(context: Context, region: RegionController, server: NameServer) -> None:
    """Ask one agent, and note what it says."""
    keys = context.regions[region.meta.key].keys
    if keys is None:
        return
    try:
        status = await fetch_status(context.agents, server.address, keys.agent, time.time)
    except Unreadable as error:
        context.health.missed_status(server, str(error))
        logger.debug("%s: %s", server.name, error)
        return
    except NotReady as error:
        context.health.missed_status(server)
        logger.debug("%s: %s", server.name, error)
        return
    take_status(context, region, server, status)


def take_status(context: Context, region: RegionController, server: NameServer, status: AgentStatus) -> None:
    """Note what an agent says of itself, and have what depends on it reconciled if that is news."""
    if context.health.take_status(server, status, context.now()):
        enqueue_region(context, region)
