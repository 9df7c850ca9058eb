"""Every replica watches and probes; the one that holds the Lease also reconciles, for as long as it does."""

import asyncio
import logging
from typing import Protocol

from rackrelay.controllers.publish.verify import verify_forever
from rackrelay.controllers.resources.keys import learn_keys
from rackrelay.controllers.routing import enqueue_namespace
from rackrelay.controllers.state.context import Context
from rackrelay.controllers.work import Lane
from rackrelay.errors import ClusterError

WORKERS = 4
# For name servers that rackrelay does not run: each waits for one that may be dead.
PUBLISHERS = 8
LEARN_EVERY_S = 1.0

logger = logging.getLogger(__name__)


class Election(Protocol):
    """What decides who leads: a Lease, or nothing at all."""

    @property
    def identity(self) -> str:
        """Who we are."""

    def fence(self) -> float:
        """Seconds for which a write may take that begins now; raises NotLeading."""

    async def acquire(self) -> None:
        """Wait until we lead."""

    async def keep(self) -> None:
        """Stay the leader; returns when we no longer are."""

    async def release(self) -> None:
        """Let another lead."""


async def lead_forever(context: Context, election: Election) -> None:
    """Reconcile whenever we lead; cancelled, stop that first and then let another lead."""
    try:
        while True:
            await election.acquire()
            logger.info("%s leads and reconciles", election.identity)
            await _serve_term(context, election)
            logger.warning("%s does not lead any more", election.identity)
    finally:
        await election.release()


async def learn_keys_forever(context: Context) -> None:
    """Read the keys of regions that another operator made, so that agents are asked by whoever may lead next."""
    while True:
        for namespace in context.settings.region_namespaces:
            for region in context.inventory.regions(namespace):
                if context.regions[region.meta.key].keys is None:
                    try:
                        await learn_keys(context, region)
                    except ClusterError as error:
                        logger.debug("keys of region %s: %s", region.meta.name, error)
        await asyncio.sleep(LEARN_EVERY_S)


async def _serve_term(context: Context, election: Election) -> None:
    """Returns when we no longer lead. What was under way is given up: each step leaves what the next can go on with.

    Raises:
        Exception: a worker failed for good.
    """
    # Everything, because what another leader left undone is in nobody's queue, and its Secrets may be new.
    for state in context.regions.values():
        state.begin_term()
    for namespace in context.settings.region_namespaces:
        enqueue_namespace(context, namespace)
    tasks = [asyncio.create_task(context.queue.work(Lane.OWN), name="worker") for _ in range(WORKERS)]
    tasks += [asyncio.create_task(context.queue.work(Lane.EXTERNAL), name="publisher") for _ in range(PUBLISHERS)]
    tasks.append(asyncio.create_task(election.keep(), name="keep"))
    tasks.append(asyncio.create_task(verify_forever(context), name="verify"))
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for state in context.regions.values():
            state.end_term()
        context.health.forget_lag()
    for task in done:
        task.result()
