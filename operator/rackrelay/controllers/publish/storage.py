"""The durable copy of a region's zone, in its ConfigMap."""

import logging
from typing import Any

from rackrelay import names
from rackrelay.cluster.client import CONFIG_MAP
from rackrelay.controllers.state.context import Context
from rackrelay.errors import Conflict, InvalidSpec
from rackrelay.manifests.configmaps import build_zone_config
from rackrelay.model.region import RegionController
from rackrelay.zone.plan import Zone
from rackrelay.zone.storage import read_zone

logger = logging.getLogger(__name__)


def read_published(context: Context, region: RegionController) -> tuple[Zone | None, str | None]:
    """The zone in the ConfigMap with the ConfigMap's resourceVersion; None for what is not there or cannot be read."""
    live = context.cache.owned(CONFIG_MAP, region.meta.namespace, names.zone_config(region.meta.name))
    if live is None:
        return None, None
    version = live["metadata"]["resourceVersion"]
    kept = context.regions[region.meta.key].stored_zone
    if kept is not None and kept[0] is live:
        return kept[1], version
    try:
        zone = read_zone(live, region.domain)
        context.regions[region.meta.key].stored_zone = (live, zone)
        return zone, version
    except InvalidSpec as error:
        # Somebody damaged it. As if it were lost: the zone is decided anew, with a serial greater than any seen.
        logger.warning("ConfigMap %s is written anew: %s", names.zone_config(region.meta.name), error)
        return None, version


async def write_published(context: Context, region: RegionController, zone: Zone, version: str | None) -> None:
    """Keep a zone in the ConfigMap, whose resourceVersion was `version` when it was read.

    Raises:
        Conflict: somebody else wrote it since then; the cache has what they wrote.
        TooLarge: no ConfigMap can hold it.
    """
    manifest = build_zone_config(region.meta.namespace, region.meta.name, zone, version)
    try:
        written = await _write(context, manifest, version)
    except Conflict:
        await _reread(context, region)
        raise
    context.cache.upsert(CONFIG_MAP, written)
    _note_kept(context, region, zone, manifest)
    logger.info("zone %s: serial %d, %d names", zone.domain, zone.serial, len({label for label, _ in zone.rrsets}))


def _note_kept(context: Context, region: RegionController, zone: Zone, wanted: dict[str, Any]) -> None:
    """What was just written need not be read again, if nobody changed it on its way."""
    live = context.cache.owned(CONFIG_MAP, region.meta.namespace, names.zone_config(region.meta.name))
    if live is not None and all(live.get(name) == wanted.get(name) for name in ("data", "binaryData")):
        context.regions[region.meta.key].stored_zone = (live, zone)


async def _write(context: Context, manifest: dict[str, Any], version: str | None) -> dict[str, Any]:
    if version is not None:
        return await context.client.apply(CONFIG_MAP, manifest)
    written = await context.client.create(CONFIG_MAP, manifest)
    if written is None:
        raise Conflict("the zone's ConfigMap exists already; reading it first")
    return written


async def _reread(context: Context, region: RegionController) -> None:
    """Have the ConfigMap in the cache as it is now: after a conflict the watch may not have brought it yet."""
    key = (region.meta.namespace, names.zone_config(region.meta.name))
    live = await context.client.get(CONFIG_MAP, *key)
    if live is None:
        context.cache.remove(CONFIG_MAP, key)
    else:
        context.cache.upsert(CONFIG_MAP, live)
