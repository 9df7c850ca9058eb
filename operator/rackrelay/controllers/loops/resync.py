"""LIST everything, at start and now and then, so that no lost event stays lost."""

import asyncio
import contextlib
import logging

from rackrelay.addresses import sort_addresses
from rackrelay.cluster.cache import Key, Listed
from rackrelay.cluster.client import SUBNET, Kind
from rackrelay.controllers.dispatch import route
from rackrelay.controllers.routing import enqueue_namespace
from rackrelay.controllers.state.context import Context
from rackrelay.errors import ClusterError

RETRY_S = 1.0
# How soon a LIST that found nothing any more is followed by the one that has to agree.
CONFIRM_S = 2.0

logger = logging.getLogger(__name__)


async def fill_cache(context: Context) -> None:
    """Wait until everything has been read once. Nothing is decided before: half a picture would shrink zones."""
    pending = [(kind, ns) for kind in context.cache.kinds for ns in _namespaces(context, kind)]
    said = ""
    while pending:
        try:
            await resync(context, *pending[0])
            pending.pop(0)
        except ClusterError as error:
            if str(error) != said:
                said = str(error)
                logger.warning("%s", _advise(error))
            await asyncio.sleep(RETRY_S)
    _remember_addresses(context)
    for namespace in context.settings.region_namespaces:
        enqueue_namespace(context, namespace)


async def resync(context: Context, kind: Kind, namespace: str) -> None:
    """Bring the cache to what the API server has of one kind in one namespace.

    Raises:
        ClusterError: the LIST failed; the cache stays as it is.
    """
    mark = context.cache.mark()
    found: dict[Key, Listed] = {}
    async for page in context.client.pages(kind, namespace):
        found.update(context.cache.parse(kind, body) for body in page)
    for before, after in context.cache.sweep(kind, namespace, found, mark):
        route(context, kind, before, after)
    if (kind, namespace) in context.cache.doubts:
        logger.warning("a LIST of %s in %r misses all or most; waiting for another to agree", kind.name, namespace)


async def resync_forever(context: Context, bursts: "asyncio.Queue[Kind]") -> None:
    """Resync everything soon after a watch began anew or a LIST was hard to believe, and now and then.

    Everything, because a kind whose last object was deleted during an outage has no burst of its own.
    """
    while True:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CONFIRM_S if context.cache.doubts else context.settings.resync_interval_s):
                await bursts.get()
        # A relist arrives as one event per object: one LIST for all of them is enough.
        await asyncio.sleep(RETRY_S)
        while not bursts.empty():
            bursts.get_nowait()
        for kind in context.cache.kinds:
            for namespace in _namespaces(context, kind):
                try:
                    await resync(context, kind, namespace)
                except ClusterError as error:
                    logger.warning("%s; trying again", error)
                    bursts.put_nowait(kind)
        if bursts.empty():
            # What failed during an outage need not wait until its backoff ends.
            for namespace in context.settings.region_namespaces:
                enqueue_namespace(context, namespace)


def _namespaces(context: Context, kind: Kind) -> tuple[str, ...]:
    return context.settings.region_namespaces if kind.namespaced else ("",)


def _remember_addresses(context: Context) -> None:
    for namespace in context.settings.region_namespaces:
        for subnet in context.inventory.subnets(namespace):
            resource = context.cache.status(SUBNET, subnet.meta.key)
            for rack in resource.get("racks", ()):
                context.health.remember(namespace, rack["name"], sort_addresses(rack.get("addresses", ())))


def _advise(error: ClusterError) -> str:
    if error.status == 404:
        return f"{error}; the custom resource definitions are not installed: install the chart with crds.install=true"
    if error.status == 403:
        return f"{error}; add the namespace to the chart's regionNamespaces"
    return f"the API server cannot be read yet: {error}"
