"""One region's zone: decide it from the evidence, keep it durably, bring every name server to it.

The order of a change matters: first the ConfigMap, then the servers. An operator that dies in between leaves servers
behind the ConfigMap, which the next one repairs; the other way round a serial could be used twice.
"""

from collections.abc import Sequence
from dataclasses import replace

from rackrelay.cluster.client import REGION
from rackrelay.controllers import work
from rackrelay.controllers.publish.external import external_keys
from rackrelay.controllers.publish.repairs import Version, repair_all
from rackrelay.controllers.publish.storage import read_published, write_published
from rackrelay.controllers.routing import follow_with_racks
from rackrelay.controllers.state.context import Context
from rackrelay.controllers.state.region_state import RegionKey, ZoneState
from rackrelay.controllers.work import Key
from rackrelay.errors import ClusterError, NotReady, TooLarge
from rackrelay.manifests.pods import safe_ttl_s
from rackrelay.model.region import RegionController
from rackrelay.nameservers.push import Outcome, send_update
from rackrelay.nameservers.server import NameServer
from rackrelay.render import quoting
from rackrelay.zone.decision import Decision, decide
from rackrelay.zone.parts import serials_needed
from rackrelay.zone.plan import Zone, is_plausible, next_serial, plan_change
from rackrelay.zone.rule import Rrsets

# A server that could not be put right by one new version gets another one, but not as fast as we can write.
RENEW_AFTER_S = 1.0
# How soon an operator that starts looks again whether everybody has been asked.
UNSETTLED_S = 0.25


async def reconcile_zone(context: Context, region: RegionController) -> None:
    """Publish the zone that the evidence asks for, and repair servers that serve another.

    Raises:
        InvalidSpec: the domain is none, or has no serial left.
        NotReady: the keys do not exist yet, or the racks have not all been asked since the operator started.
        Conflict: somebody else wrote the zone's ConfigMap since it was read.
    """
    quoting.domain_name("spec.domain", region.domain)
    keys = context.regions[region.meta.key].keys
    if keys is None:
        raise NotReady("the region's keys are not made yet")
    published, version = read_published(context, region)
    servers = context.inventory.servers_of(region)
    if not is_settled(context, region, servers):
        # By its failures it would be tried ever more rarely, and regions can tell after four seconds.
        context.queue.add_later(Key(work.ZONE, *region.meta.key), UNSETTLED_S)
        raise NotReady("racks are still being asked for the first time")
    changes = context.health.judge(region.meta.key, context.inventory.rack_groups_of(region), context.now())
    if changes.racks:
        follow_with_racks(context, region)
    decision = decide_names(context, region)
    drifted = drifted_servers(context, region, servers)
    renew = published is not None and any(context.health.serial(s) == published.serial for s in drifted)
    timed, seen = with_safe_ttl(context, region), seen_serials(context, region, servers, published)
    wanted = choose_version(timed, decision.rrsets, published, seen, renew)
    began = context.now()
    wanted, problem = await _keep(context, region, wanted, (published, version))
    outcomes = await bring_to(context, Version(region, wanted, keys.tsig), published, servers, drifted)
    if wanted != published:
        context.tally.published(region.meta.key, context.now() - began)
    _remember(context, region, ZoneState(wanted, decision.answers, outcomes, problem))
    _note_refusal(context, region.meta.key, "")
    if any(o is Outcome.DRIFTED and context.health.serial(s) is not None for s, o in outcomes.items()):
        context.queue.add_later(Key(work.ZONE, *region.meta.key), RENEW_AFTER_S)


async def refuse_zone(context: Context, key: Key, words: str) -> None:
    """Have the region say why its zone cannot be decided."""
    _note_refusal(context, (key.namespace, key.name), words)


def _note_refusal(context: Context, region: RegionKey, words: str) -> None:
    state = context.regions[region]
    if state.refusal != words:
        state.refusal = words
        context.queue.add(Key(work.REGION, *region))


def decide_names(context: Context, region: RegionController) -> Decision:
    """What each Subnet's name should answer, by what is known now and how racks were judged last."""
    state = context.regions[region.meta.key]
    views = context.health.views(context.inventory.rack_groups_of(region), context.now())
    faults = context.health.link_faults(region.meta.key)
    state.decision = decide(context.inventory.subnets_of(region), views, faults, state.decision)
    return state.decision


def with_safe_ttl(context: Context, region: RegionController) -> RegionController:
    """The region with the TTL that its racks' pods allow: a greater one waits until all have been replaced."""
    pods = [pod for _, pod in context.inventory.rack_nodes_in(region) if pod is not None]
    graces_s = [pod.grace_s for pod in pods if pod.grace_s is not None]
    return replace(region, ttl_s=safe_ttl_s(region.ttl_s, graces_s))


async def _keep(
    context: Context, region: RegionController, wanted: Zone, kept: tuple[Zone | None, str | None]
) -> tuple[Zone, str]:
    """The version that is kept durably now, and why it is not the wanted one."""
    published, version = kept
    if wanted == published:
        return published, ""
    try:
        await write_published(context, region, wanted, version)
    except TooLarge as error:
        if published is None:
            raise
        return published, str(error)
    except ClusterError as error:
        _note_failure(context, region, str(error))
        raise
    return wanted, ""


def _note_failure(context: Context, region: RegionController, words: str) -> None:
    """Have the region say why its zone stays as it is, while that is tried again."""
    state = context.regions[region.meta.key].zone
    if state is not None and state.problem != words:
        context.regions[region.meta.key].zone = replace(state, problem=words, reason="NotWritten")
        context.queue.add(Key(work.REGION, *region.meta.key))


def choose_version(
    region: RegionController, rrsets: Rrsets, published: Zone | None, seen: Sequence[int], renew: bool = False
) -> Zone:
    """The published zone when it is right and no serial seen is ahead of it, else the wanted content with a new one.

    `renew`: a server has other content by the published serial, which only a greater one can put right.
    """
    ahead = max(seen, default=0)
    if published is not None and ahead <= published.serial and not renew:
        unchanged = Zone(region.domain, region.ttl_s, published.serial, rrsets)
        if unchanged == published:
            return published
    newest = published.serial if published is not None else 0
    step = serials_needed(published.rrsets if published is not None else {}, rrsets)
    return Zone(region.domain, region.ttl_s, next_serial(newest, ahead, step=step), rrsets)


def seen_serials(
    context: Context, region: RegionController, servers: Sequence[NameServer], published: Zone | None
) -> list[int]:
    """Serials that are in use or were: what servers answer, and, for when the ConfigMap was lost while none answers,
    what this operator published and what the region's status says.

    What a server answers that was never ours is left out: the region's condition names that server.
    """
    seen = [published.serial] if published is not None else []
    state, resource = context.regions[region.meta.key].zone, context.cache.resource(REGION, region.meta.key)
    if state is not None:
        seen.append(state.zone.serial)
    if resource is not None:
        seen.append(resource.status.get("zone", {}).get("serial", 0))
    newest = max(seen, default=0)
    served = (context.health.serial(s) for s in servers)
    return seen + [serial for serial in served if serial is not None and is_plausible(serial, newest)]


def is_settled(context: Context, region: RegionController, servers: Sequence[NameServer]) -> bool:
    """Whether every server has been asked since the operator started, and regions for those that are silent.

    Before that nothing may be withdrawn.
    """
    if context.regions[region.meta.key].zone is not None:
        return True
    return all(context.health.is_asked(server, context.now()) for server in servers)


def drifted_servers(context: Context, region: RegionController, servers: Sequence[NameServer]) -> frozenset[NameServer]:
    """The servers that were found to have other content by the published serial, and have not been put right yet."""
    state = context.regions[region.meta.key].zone
    if state is None:
        return frozenset()
    return frozenset(s for s in servers if state.outcomes.get(s) is Outcome.DRIFTED)


async def bring_to(
    context: Context,
    version: Version,
    old: Zone | None,
    servers: Sequence[NameServer],
    drifted: frozenset[NameServer] = frozenset(),
) -> dict[NameServer, Outcome]:
    """The outcome at each server: one UPDATE to all at the old version, then repair of those that have another.

    Servers out of reach are not waited for: they are repaired once a probe finds them again.
    """
    wanted = version.zone
    fence = context.client.fence
    serials = {s: serial for s in servers if (serial := context.health.serial(s)) is not None}
    outcomes = dict.fromkeys(servers, Outcome.UNREACHABLE) | dict.fromkeys(drifted, Outcome.DRIFTED)
    outcomes |= {s: Outcome.UPDATED for s, serial in serials.items() if serial == wanted.serial and s not in drifted}
    if old is not None and old.serial < wanted.serial:
        # A drifted one would take the new serial and keep what it should not have.
        current = [s for s, serial in serials.items() if serial == old.serial and s not in drifted]
        sent = await send_update(plan_change(old, wanted), version.key, current, fence)
        context.tally.updated(sent.values())
        outcomes |= sent
    known = {wanted.serial} | ({old.serial} if old is not None else set())
    lagging = [
        s for s, serial in serials.items() if outcomes[s] is Outcome.DIFFERS or serial not in known or s in drifted
    ]
    outcomes |= await repair_all(context, lagging, version)
    for server, outcome in outcomes.items():
        if outcome is Outcome.UPDATED:
            context.health.updated(server, wanted.serial)
    return outcomes


def _remember(context: Context, region: RegionController, state: ZoneState) -> None:
    """Keep the result, and have whatever shows it in its status reconciled."""
    before = context.regions[region.meta.key].zone
    context.regions[region.meta.key].zone = state
    if before == state:
        return
    context.queue.add(Key(work.REGION, *region.meta.key))
    for key in external_keys(region) if before is None or before.zone != state.zone else ():
        context.queue.add(key)
    for rack in context.inventory.racks_of(region):
        context.queue.add(Key(work.RACK, *rack.meta.key))
    for subnet in context.inventory.subnets_of(region):
        # One that came while the servers were being updated has no answer yet; its event has the zone decided again.
        if before is None or before.answers.get(subnet.cidr) != state.answers.get(subnet.cidr):
            context.queue.add(Key(work.SUBNET, *subnet.meta.key))
