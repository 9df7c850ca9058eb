"""Now and then compare what each name server has with what was published: a serial says nothing of the content.

Somebody else with the key, or a disk, can change a zone. A server with a foreign serial shows in the probes at once;
one with the right serial and other content shows only here.
"""

import asyncio
import logging
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from rackrelay.cluster.client import REGION
from rackrelay.cluster.status import post_event
from rackrelay.controllers import work
from rackrelay.controllers.state.context import Context
from rackrelay.controllers.work import Key
from rackrelay.errors import ClusterError
from rackrelay.model import condition
from rackrelay.model.condition import Condition
from rackrelay.model.region import RegionController
from rackrelay.nameservers.push import Outcome, compare
from rackrelay.nameservers.server import NameServer

EVERY_S = 300.0
STEP_S = 0.5
# Parsing a large zone takes its time: at most a twentieth of ours, and servers wait for longer then.
REST = 20

logger = logging.getLogger(__name__)


@dataclass
class Schedule:
    """When each server's turn is. `chance` gives numbers from 0 to 1, so that turns do not fall together."""

    every_s: float = EVERY_S
    chance: Callable[[], float] = random.random
    _due: dict[NameServer, float] = field(default_factory=dict)

    def choose(self, servers: Iterable[NameServer], now: float) -> NameServer | None:
        """The server that has waited for longest among those whose turn it is; its next turn is then a while away."""
        before = self._due
        self._due = {s: before[s] if s in before else now + self.every_s * self.chance() for s in servers}
        server = min(self._due, key=self._due.__getitem__, default=None)
        if server is None or self._due[server] > now:
            return None
        self._due[server] = now + self.every_s * (0.8 + 0.4 * self.chance())
        return server


async def verify_forever(context: Context) -> None:
    """Compare one server after the other."""
    schedule = Schedule()
    while True:
        began = context.now()
        await verify_next(context, schedule)
        await asyncio.sleep(max(STEP_S, REST * (context.now() - began)))


async def verify_next(context: Context, schedule: Schedule) -> None:
    """Compare the server whose turn it is, if it is anybody's, and have a zone that differs published anew."""
    owners = {s: r for r in context.inventory.live_regions() for s in _comparable(context, r)}
    server = schedule.choose(owners, context.now())
    if server is None:
        return
    region = owners[server]
    state, keys = context.regions[region.meta.key].zone, context.regions[region.meta.key].keys
    if state is None or keys is None:
        return
    outcome = await compare(server, state.zone, keys.tsig)
    if outcome is Outcome.DRIFTED:
        await _report(context, region, server, state.zone.serial)


def _comparable(context: Context, region: RegionController) -> list[NameServer]:
    """The servers that answer with the published serial; all others are repaired anyway."""
    state = context.regions[region.meta.key].zone
    if state is None:
        return []
    return [s for s in context.inventory.servers_of(region) if context.health.serial(s) == state.zone.serial]


async def _report(context: Context, region: RegionController, server: NameServer, serial: int) -> None:
    state = context.regions[region.meta.key].zone
    if state is None or state.zone.serial != serial:
        # Another version was published meanwhile. Should it differ there too, the next turn finds it.
        return
    logger.warning("zone %s: %s has other content by serial %d", region.domain, server.name, serial)
    context.regions[region.meta.key].zone = replace(state, outcomes={**state.outcomes, server: Outcome.DRIFTED})
    context.queue.add(Key(work.ZONE, *region.meta.key))
    context.queue.add(Key(work.REGION, *region.meta.key))
    try:
        # It may be repaired before the region's condition is written.
        await post_event(context.client, REGION, region.meta, content_differs([server.name]))
    except ClusterError as error:
        logger.warning("no Event: %s", error)


def content_differs(servers: Sequence[str]) -> Condition:
    """ZonePublished while servers have another zone by the published serial."""
    message = f"somebody else changed the zone at {', '.join(servers)}; it is published anew"
    return Condition(condition.ZONE_PUBLISHED, False, "ContentDiffers", message, alarming=True)
