"""One region's zone: decide it from the evidence, keep it durably, bring every name server to it.

The order of a change matters: first the ConfigMap, then the servers. An operator that dies in between leaves servers
behind the ConfigMap, which the next one repairs; the other way round a serial could be used twice.
"""

import asyncio
import logging
from collections.abc import Sequence

from rackrelay import names
from rackrelay.cluster.client import CONFIG_MAP, REGION
from rackrelay.controllers.context import Context, ZoneState
from rackrelay.controllers.queue import Key
from rackrelay.errors import Conflict, InvalidSpec, NotReady
from rackrelay.manifests.configmaps import build_zone_config
from rackrelay.model.observed import NameServer
from rackrelay.model.region import RegionController
from rackrelay.zone.peers import cut_off_addresses
from rackrelay.zone.plan import Zone, next_serial, parse_zone_text, plan_change
from rackrelay.zone.publish import Key as TsigKey
from rackrelay.zone.publish import Outcome, repair, send_update
from rackrelay.zone.records import RackView, Rrsets, answer_subnets, build_rrsets

logger = logging.getLogger(__name__)


async def reconcile_zone(context: Context, region: RegionController) -> None:
    """Publish the zone that the evidence asks for, and repair servers that serve another.

    Raises:
        NotReady: the keys do not exist yet, or the racks have not all been asked since the operator started.
        Conflict: somebody else wrote the zone's ConfigMap since it was read.
    """
    keys = context.keys.get(region.meta.key)
    if keys is None:
        raise NotReady("the region's keys are not made yet")
    published, version = read_published(context, region)
    servers = context.servers_of(region)
    if not is_settled(context, region, servers):
        raise NotReady("racks are still being asked for the first time")
    subnets = context.subnets_of(region)
    views = view_racks(context, region)
    sights = context.book.sights(region.meta.namespace, context.now())
    cut_off = cut_off_addresses(sights, {view.name: view.addresses for view in views})
    answers = answer_subnets(subnets, views, cut_off)
    rrsets = build_rrsets(answers, [s.cidr for s in subnets if s.managed])
    wanted = choose_version(region, rrsets, published, seen_serials(context, region, servers))
    if wanted != published:
        try:
            await _write(context, region, wanted, version)
        except Conflict:
            await reread(context, region)
            raise
    outcomes = await bring_to(context, (published, wanted), servers, keys.tsig)
    _remember(context, region, ZoneState(wanted, answers, outcomes))


def choose_version(region: RegionController, rrsets: Rrsets, published: Zone | None, seen: Sequence[int]) -> Zone:
    """The published zone when it is right and no serial seen is ahead of it, else the wanted content with a new one."""
    ahead = max(seen, default=0)
    if published is not None and ahead <= published.serial:
        unchanged = Zone(region.domain, region.ttl_s, published.serial, rrsets)
        if unchanged == published:
            return published
    newest = published.serial if published is not None else 0
    return Zone(region.domain, region.ttl_s, next_serial(newest, ahead), rrsets)


def seen_serials(context: Context, region: RegionController, servers: Sequence[NameServer]) -> list[int]:
    """Serials that are in use or were: what servers answer, and, for when the ConfigMap was lost while none answers,
    what this operator published and what the region's status says."""
    seen = [serial for s in servers if (serial := context.book.serial(s)) is not None]
    state, resource = context.zones.get(region.meta.key), context.cache.resource(REGION, region.meta.key)
    if state is not None:
        seen.append(state.zone.serial)
    if resource is not None:
        seen.append(resource.status.get("zone", {}).get("serial", 0))
    return seen


def read_published(context: Context, region: RegionController) -> tuple[Zone | None, str | None]:
    """The zone in the ConfigMap with the ConfigMap's resourceVersion; None for what is not there or cannot be read."""
    live = context.cache.owned(CONFIG_MAP, region.meta.namespace, names.zone_config(region.meta.name))
    if live is None:
        return None, None
    version = live["metadata"]["resourceVersion"]
    try:
        return parse_zone_text(live.get("data", {}).get(names.KEY_ZONE_TEXT, ""), region.domain), version
    except InvalidSpec as error:
        # Somebody damaged it. As if it were lost: the zone is decided anew, with a serial greater than any seen.
        logger.warning("ConfigMap %s is written anew: %s", names.zone_config(region.meta.name), error)
        return None, version


async def reread(context: Context, region: RegionController) -> None:
    """Have the ConfigMap in the cache as it is now: after a conflict the watch may not have brought it yet."""
    key = (region.meta.namespace, names.zone_config(region.meta.name))
    live = await context.client.get(CONFIG_MAP, *key)
    if live is None:
        context.cache.remove(CONFIG_MAP, key)
    else:
        context.cache.upsert(CONFIG_MAP, live)


def is_settled(context: Context, region: RegionController, servers: Sequence[NameServer]) -> bool:
    """Whether every server has been asked since the operator started: before that nothing may be withdrawn."""
    if region.meta.key in context.zones:
        return True
    sightings = [context.book.find(s.namespace, s.name) for s in servers]
    return all(s is not None and s.is_asked(context.settings.probe_misses) for s in sightings)


def view_racks(context: Context, region: RegionController) -> list[RackView]:
    """Every rack of a region with its tier now and the addresses that count."""
    return [view for rack in context.racks_of(region) for view in context.views_of(rack)]


async def bring_to(
    context: Context, versions: tuple[Zone | None, Zone], servers: Sequence[NameServer], key: TsigKey
) -> dict[NameServer, Outcome]:
    """The outcome at each server: one UPDATE to all at the old version, then repair of those that have another.

    Servers out of reach are not waited for: they are repaired once a probe finds them again.
    """
    old, wanted = versions
    fence = context.client.fence
    outcomes = dict.fromkeys(servers, Outcome.UNREACHABLE)
    reachable = [s for s in servers if context.book.serial(s) is not None]
    outcomes |= {s: Outcome.UPDATED for s in reachable if context.book.serial(s) == wanted.serial}
    if old is not None and old.serial < wanted.serial:
        current = [s for s in reachable if context.book.serial(s) == old.serial]
        outcomes |= await send_update(plan_change(old, wanted), key, current, fence)
    lagging = [s for s in reachable if outcomes[s] is Outcome.DIFFERS or context.book.serial(s) not in _known(versions)]
    repaired = await asyncio.gather(*(repair(s, wanted, key, fence) for s in lagging))
    outcomes |= dict(zip(lagging, repaired, strict=True))
    for server, outcome in outcomes.items():
        if outcome is Outcome.UPDATED:
            context.book.updated(server, wanted.serial)
    return outcomes


def _known(versions: tuple[Zone | None, Zone]) -> set[int]:
    return {version.serial for version in versions if version is not None}


async def _write(context: Context, region: RegionController, zone: Zone, version: str | None) -> None:
    manifest = build_zone_config(region.meta.namespace, region.meta.name, zone, version)
    if version is None:
        written = await context.client.create(CONFIG_MAP, manifest)
        if written is None:
            raise Conflict("the zone's ConfigMap exists already; reading it first")
    else:
        written = await context.client.apply(CONFIG_MAP, manifest)
    context.cache.upsert(CONFIG_MAP, written)
    logger.info("zone %s: serial %d, %d names", zone.domain, zone.serial, len({label for label, _ in zone.rrsets}))


def _remember(context: Context, region: RegionController, state: ZoneState) -> None:
    """Keep the result, and have whatever shows it in its status reconciled."""
    before = context.zones.get(region.meta.key)
    context.zones[region.meta.key] = state
    if before == state:
        return
    context.queue.add(Key("region", *region.meta.key))
    for rack in context.racks_of(region):
        context.queue.add(Key("rack", *rack.meta.key))
    for subnet in context.subnets_of(region):
        if before is None or before.answers.get(subnet.cidr) != state.answers[subnet.cidr]:
            context.queue.add(Key("subnet", *subnet.meta.key))
