"""From a change to the keys that it concerns, and from a key to its reconciler, by the table of kinds.

This is also the one place in which a spec that cannot be worked with becomes a condition.
"""

import logging

from rackrelay.cluster.cache import Record
from rackrelay.cluster.client import Kind
from rackrelay.cluster.status import write_refusal
from rackrelay.controllers.state.context import Context
from rackrelay.controllers.work import Key
from rackrelay.errors import InvalidSpec

logger = logging.getLogger(__name__)


def route(context: Context, kind: Kind, before: Record | None, after: Record | None) -> None:
    """Enqueue the keys that a change concerns; at least one of before and after is given."""
    context.kinds.find(kind).route(context, before, after)


async def reconcile(context: Context, key: Key) -> None:
    """Reconcile what a key names; what is gone or going needs nothing, garbage collection does the rest."""
    entry, reconciler = context.kinds.reconciler(key.work)
    resource = context.cache.resource(entry.kind, (key.namespace, key.name))
    if resource is None or resource.meta.deleting:
        # One of the same name that is made later begins anew.
        reconciler.forget(context, key)
        return
    if resource.problem and reconciler is entry.reconcilers[0]:
        # The other work goes on with the fields that can be used.
        await write_refusal(context.client, context.cache, entry.kind, resource.meta, resource.problem)
        return
    if resource.spec is None:
        return
    try:
        await reconciler.reconcile(context, resource.spec, key)
    except InvalidSpec as error:
        # Trying again would not help: an event brings the key back once somebody has changed the resource.
        logger.warning("%s: %s", key, error)
        if reconciler.refuse is not None:
            await reconciler.refuse(context, key, str(error))
        else:
            await write_refusal(context.client, context.cache, entry.kind, resource.meta, str(error))
