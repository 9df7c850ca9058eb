"""Follow what every region replica hears of the racks: one long poll each, so that news arrives as it happens."""

import asyncio
import logging
import time

from rackrelay.agents.heartbeats import fetch_heard
from rackrelay.agents.requests import Asker
from rackrelay.controllers import work
from rackrelay.controllers.routing import enqueue_region
from rackrelay.controllers.state.context import Context
from rackrelay.controllers.state.region_state import RegionKey
from rackrelay.controllers.work import Key
from rackrelay.errors import NotReady
from rackrelay.nameservers.server import NameServer
from rackrelay.protocol.heard_document import Cursor, Heard

LOOK_EVERY_S = 1.0
RETRY_S = 0.5

logger = logging.getLogger(__name__)


async def listen_forever(context: Context) -> None:
    """Keep one listener for each region replica that there is."""
    listeners: dict[NameServer, asyncio.Task[None]] = {}
    try:
        while True:
            wanted = {
                s: region.meta.key
                for region in context.inventory.live_regions()
                for s in context.inventory.replicas_of(region)
            }
            for replica in listeners.keys() - wanted.keys():
                listeners.pop(replica).cancel()
            for replica in wanted.keys() - listeners.keys():
                listeners[replica] = asyncio.create_task(_listen(context, wanted[replica], replica))
            await asyncio.sleep(LOOK_EVERY_S)
    finally:
        for listener in listeners.values():
            listener.cancel()
        await asyncio.gather(*listeners.values(), return_exceptions=True)


async def _listen(context: Context, region: RegionKey, replica: NameServer) -> None:
    cursor = Cursor()
    while True:
        keys = context.regions[region].keys
        try:
            if keys is None:
                raise NotReady("the region's keys are not read yet")
            asker = Asker(context.agents, keys.agent, time.time)
            heard = await fetch_heard(asker, replica.address, cursor, context.inventory.detection(region).poll_wait_s)
        except NotReady as error:
            logger.debug("%s: %s", replica.name, error)
            await asyncio.sleep(RETRY_S)
            continue
        cursor = heard.cursor
        take_heard(context, region, replica, heard)


def take_heard(context: Context, region: RegionKey, replica: NameServer, heard: Heard) -> None:
    """Note whom a region replica hears, and have what depends on it reconciled if that is news."""
    changed = context.health.hear(replica, heard, context.now())
    if heard.racks:
        context.queue.add(Key(work.ZONE, *region))
    for resource in context.inventory.live_regions() if changed else ():
        if resource.meta.key == region:
            enqueue_region(context, resource)
