"""Write the objects that are wanted, and only those that differ from what the API server has."""

from collections.abc import Iterable, Mapping
from typing import Any

from rackrelay import names
from rackrelay.cluster.cache import Cache, object_key
from rackrelay.cluster.client import BY_NAME, CONFIG_MAP, SERVICE, Client
from rackrelay.cluster.quantity import normalize_quantities
from rackrelay.model.meta import Manifest
from rackrelay.protocol.digest import digest

# Maps in which a key that somebody added changes the meaning of all. The API server replaces them whole, too.
WHOLE = ("selector", "nodeSelector")


async def apply_objects(client: Client, cache: Cache, wanted: Iterable[Manifest]) -> int:
    """How many objects were written. The cache learns what the API server answered, without waiting for the event."""
    written = 0
    for manifest in wanted:
        kind = BY_NAME[manifest["kind"]]
        stamped = stamp(manifest)
        namespace, name = object_key(manifest)
        if not differs(stamped, cache.owned(kind, namespace, name)):
            continue
        cache.upsert(kind, await client.apply(kind, stamped))
        written += 1
    return written


async def delete_surplus(client: Client, cache: Cache, owner_uid: str, wanted: Iterable[Manifest]) -> None:
    """Delete what an owner had and no longer wants: the Services of replicas that are gone."""
    keep = {(m["kind"], *object_key(m)) for m in wanted}
    namespaces = {object_key(m)[0] for m in wanted}
    for kind in (SERVICE, CONFIG_MAP):
        for namespace in namespaces:
            for live in cache.all_owned(kind, namespace):
                key = object_key(live)
                if _owned_by(live, owner_uid) and (kind.name, *key) not in keep:
                    await client.delete(kind, *key)
                    cache.remove(kind, key)


def stamp(manifest: Manifest) -> Manifest:
    """The manifest with a digest of itself as annotation, so that a field that is no longer wanted shows as well."""
    metadata = manifest["metadata"]
    annotations = {**metadata.get("annotations", {}), names.ANNOTATION_APPLIED: digest(manifest)}
    return {**manifest, "metadata": {**metadata, "annotations": annotations}}


def differs(wanted: Any, live: Any) -> bool:
    """Whether `live` lacks anything of `wanted`. What the API server added or spells otherwise does not count."""
    if isinstance(wanted, Mapping):
        return not isinstance(live, Mapping) or any(_field_differs(k, v, live.get(k)) for k, v in wanted.items())
    if isinstance(wanted, (list, tuple)):
        if not isinstance(live, (list, tuple)) or len(live) != len(wanted):
            return True
        return any(differs(w, x) for w, x in zip(wanted, live, strict=True))
    return bool(wanted != live)


def _field_differs(name: str, wanted: Any, live: Any) -> bool:
    if name in WHOLE:
        return bool(wanted != live)
    if name == "resources":
        return differs(normalize_quantities(wanted), normalize_quantities(live))
    # The API server does not store empty text and empty lists.
    return differs(wanted, live) and not (live is None and wanted in ("", [], ()))


def _owned_by(live: Manifest, uid: str) -> bool:
    return any(ref["uid"] == uid for ref in live["metadata"].get("ownerReferences", ()))
