"""Write a resource's status when it changed, and an Event for each condition that turned."""

import hashlib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from rackrelay import names
from rackrelay.cluster.cache import Cache
from rackrelay.cluster.client import EVENT, Client, Kind
from rackrelay.model.condition import RECONCILING, Condition, merge_conditions, transitions
from rackrelay.model.meta import Meta

Manifest = dict[str, Any]


async def write_status(
    client: Client, cache: Cache, kind: Kind, meta: Meta, wanted: tuple[Mapping[str, Any], Iterable[Condition]]
) -> bool:
    """Whether anything was written. `wanted` is the status without conditions, and the conditions."""
    resource = cache.resource(kind, meta.key)
    current = resource.status if resource else {}
    fields, conditions = wanted[0], tuple(wanted[1])
    before = current.get("conditions", ())
    status = {
        **fields,
        "observedGeneration": meta.generation,
        "conditions": merge_conditions(conditions, before, meta.generation, rfc3339(datetime.now(UTC))),
    }
    if status == current:
        return False
    manifest = {
        "apiVersion": names.API_VERSION,
        "kind": kind.name,
        "metadata": {"namespace": meta.namespace, "name": meta.name},
        "status": status,
    }
    cache.upsert(kind, await client.apply(kind, manifest, "status"))
    for condition in transitions(conditions, before):
        await post_event(client, kind, meta, condition)
    return True


def rfc3339(moment: datetime) -> str:
    """The time as the API server writes it, in whole seconds of UTC."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


async def post_event(client: Client, kind: Kind, meta: Meta, condition: Condition) -> None:
    """An Event that says what a condition does."""
    if condition.type == RECONCILING:
        return
    now = rfc3339(datetime.now(UTC))
    digest = hashlib.sha256(f"{meta.uid}{condition}{now}".encode()).hexdigest()[:16]
    event = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"namespace": meta.namespace, "name": f"{meta.name}.{digest}"},
        "involvedObject": {
            "apiVersion": names.API_VERSION,
            "kind": kind.name,
            "namespace": meta.namespace,
            "name": meta.name,
            "uid": meta.uid,
        },
        "type": "Warning" if condition.alarming else "Normal",
        "reason": condition.reason,
        "message": f"{condition.type}={condition.status}: {condition.message}"[:1024],
        "source": {"component": names.FIELD_MANAGER},
        "firstTimestamp": now,
        "lastTimestamp": now,
        "count": 1,
    }
    await client.create(EVENT, event)
