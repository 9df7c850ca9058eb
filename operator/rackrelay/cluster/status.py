"""Write a resource's status when it changed, and an Event for each condition that turned."""

import hashlib
import json
import logging
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from rackrelay import names
from rackrelay.cluster.cache import Cache
from rackrelay.cluster.client import EVENT, Client, Kind
from rackrelay.errors import ClusterError
from rackrelay.model.condition import (
    READY,
    RECONCILING,
    STALLED,
    Condition,
    merge_conditions,
    read_condition,
    refused,
    transitions,
)
from rackrelay.model.meta import Meta

logger = logging.getLogger(__name__)


async def write_status(
    client: Client, cache: Cache, kind: Kind, meta: Meta, wanted: tuple[Mapping[str, Any], Iterable[Condition]]
) -> bool:
    """Whether anything was written. `wanted` is the status without conditions, and the conditions.

    Events come first: whoever dies before the status is written posts them again by the same names, and once.
    """
    current = cache.status(kind, meta.key)
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
    for condition in transitions(conditions, before):
        await _announce(client, kind, meta, condition, json.dumps(current, sort_keys=True))
    cache.upsert(kind, await client.apply(kind, manifest, "status"))
    return True


async def write_refusal(client: Client, cache: Cache, kind: Kind, meta: Meta, problem: str) -> bool:
    """Whether anything was written: that a field of the spec cannot be used. All else in the status stays as it was."""
    current = cache.status(kind, meta.key)
    fields = {name: value for name, value in current.items() if name not in ("conditions", "observedGeneration")}
    readiness = (READY, RECONCILING, STALLED)
    others = [read_condition(c) for c in current.get("conditions", ()) if c["type"] not in readiness]
    return await write_status(client, cache, kind, meta, (fields, [*refused(problem), *others]))


async def _announce(client: Client, kind: Kind, meta: Meta, condition: Condition, since: str) -> None:
    try:
        await post_event(client, kind, meta, condition, since)
    except ClusterError as error:
        # The status says the same and is needed more.
        logger.warning("no Event for %s of %s: %s", condition.type, meta.name, error)


def rfc3339(moment: datetime) -> str:
    """The time as the API server writes it, in whole seconds of UTC."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


async def post_event(client: Client, kind: Kind, meta: Meta, condition: Condition, since: str = "") -> None:
    """An Event that says what a condition does; one only for each turn of it from the same state before."""
    if condition.type == RECONCILING:
        return
    now = rfc3339(datetime.now(UTC))
    turn = f"{meta.uid}:{condition.type}:{condition.status}:{condition.reason}:{since or now}"
    digest = hashlib.sha256(turn.encode()).hexdigest()[:16]
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
