"""Repairs of servers that serve another version: a few at a time, and none holds up what the others should be told."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from rackrelay.controllers import work
from rackrelay.controllers.state.context import Context
from rackrelay.controllers.state.region_state import Repair
from rackrelay.controllers.work import Key
from rackrelay.errors import RackrelayError
from rackrelay.model.region import RegionController
from rackrelay.nameservers import push
from rackrelay.nameservers.push import Outcome
from rackrelay.nameservers.server import NameServer
from rackrelay.nameservers.update import TsigKey
from rackrelay.zone.plan import Zone

# Enough for a small zone. A transfer of a large one takes seconds and a server that hangs half a minute, while a change
# that comes meanwhile should reach the others at once.
PATIENCE_S = 0.1

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Version:
    """What a region's servers are to be brought to, and with which key."""

    region: RegionController
    zone: Zone
    key: TsigKey


async def repair_all(context: Context, servers: Sequence[NameServer], wanted: Version) -> dict[NameServer, Outcome]:
    """The outcome at each server, DIFFERS at those that take longer than a moment.

    Their repair goes on; the zone is reconciled again when it is done. No server is repaired twice at once.
    """
    under_way = context.regions[wanted.region.meta.key].repairs
    for server in servers:
        if server not in under_way:
            task = asyncio.create_task(_repair(context, server, wanted))
            under_way[server] = Repair(wanted.zone.serial, task)
            task.add_done_callback(partial(_note_late, context, server, wanted, under_way[server]))
    repairs = {server: under_way[server] for server in servers}
    # One that was too slow before is not waited for again: each round would be late by it.
    waited = [repair.task for repair in repairs.values() if not repair.late]
    if waited:
        await asyncio.wait(waited, timeout=PATIENCE_S)
    return {server: _outcome(repair, wanted.zone) for server, repair in repairs.items()}


def _outcome(repair: Repair, wanted: Zone) -> Outcome:
    if repair.task.done() and repair.serial == wanted.serial:
        return repair.task.result()
    repair.late = True
    return Outcome.DIFFERS


async def _repair(context: Context, server: NameServer, wanted: Version) -> Outcome:
    state = context.regions[wanted.region.meta.key]
    try:
        async with state.repair_limit:
            outcome = await push.repair(server, wanted.zone, wanted.key, context.client.fence)
    finally:
        state.repairs.pop(server, None)
    context.tally.updated([outcome])
    if outcome is Outcome.UPDATED:
        context.health.updated(server, wanted.zone.serial)
    return outcome


def _note_late(
    context: Context, server: NameServer, wanted: Version, repair: Repair, done: "asyncio.Task[Outcome]"
) -> None:
    """Whoever waited for it has the outcome; otherwise note it and have the zone reconciled."""
    if done.cancelled():
        return
    error = done.exception()
    if not repair.late:
        return
    region = wanted.region.meta.key
    state = context.regions[region].zone
    if error is not None:
        logger.log(logging.DEBUG if isinstance(error, RackrelayError) else logging.ERROR, "%s: %r", server.name, error)
    elif state is not None and state.zone.serial == repair.serial:
        context.regions[region].zone = replace(state, outcomes={**state.outcomes, server: done.result()})
    context.queue.add(Key(work.ZONE, *region))
    context.queue.add(Key(work.REGION, *region))
