"""One RegionController: its keys, Services, configuration and pods, and what its status says."""

import asyncio
from typing import Any

from rackrelay import names
from rackrelay.addresses import Network
from rackrelay.cluster.apply import apply_objects, delete_surplus
from rackrelay.cluster.client import CONFIG_MAP, POD, REGION, SERVICE
from rackrelay.cluster.status import write_status
from rackrelay.controllers import work
from rackrelay.controllers.publish.external import external_condition, external_keys, is_looked_at, secret_trouble
from rackrelay.controllers.publish.verify import content_differs
from rackrelay.controllers.resources.keys import accepted_keys, ensure_keys, volume_mark
from rackrelay.controllers.state.context import Context
from rackrelay.controllers.state.region_state import ZoneState
from rackrelay.controllers.work import Key
from rackrelay.errors import NotReady
from rackrelay.manifests.desired import desire_region, find_endpoints, rack_networks
from rackrelay.model import condition
from rackrelay.model.condition import Condition
from rackrelay.model.observed import Pod
from rackrelay.model.region import RegionController, RegionEndpoint
from rackrelay.nameservers.push import Outcome
from rackrelay.render.inputs import RegionInputs
from rackrelay.zone.plan import is_plausible

# A thousand pods one after the other would keep each worker from everything else for seconds.
PARALLEL_TOUCHES = 16


async def reconcile_region(context: Context, region: RegionController) -> None:
    """Apply what the region consists of and write its status."""
    await ensure_keys(context, region)
    namespace = region.meta.namespace
    if context.cache.owned(CONFIG_MAP, namespace, names.zone_config(region.meta.name)) is None:
        # Pods that start before the zone exists would wait for the kubelet's slow refresh of the volume.
        context.queue.add(Key(work.ZONE, *region.meta.key))
        raise NotReady("the zone is not written yet")
    networks = networks_of_racks(context, region)
    inputs = RegionInputs(region, context.inventory.subnets_of(region), networks, accepted_keys(context, region))
    desired = desire_region(inputs, context.image)
    await apply_objects(context.client, context.cache, desired.objects)
    await delete_surplus(context.client, context.cache, region.meta.uid, desired.objects)
    pods = context.inventory.pods_of(names.COMPONENT_REGION, namespace, region.meta.name)
    await refresh_volumes(context, pods, volume_mark(context, region, desired.config_hash))
    context.regions[region.meta.key].config_hash = desired.config_hash
    for key in external_keys(region):
        if key.server not in context.regions[region.meta.key].external:
            context.queue.add(key)
    known = context.is_decided(region) and is_looked_at(context, region)
    if not known and context.has_status(REGION, region.meta):
        return
    endpoints = find_endpoints(region, context.cache.all_owned(SERVICE, namespace))
    fields = _status_fields(context, region, pods, endpoints)
    conditions = _conditions(context, region, pods, desired.config_hash)
    await write_status(context.client, context.cache, REGION, region.meta, (fields, conditions))


def networks_of_racks(context: Context, region: RegionController) -> tuple[Network, ...]:
    """Where connections of a region's racks come from, those included that are leaving."""
    leaving = [node for node, _ in context.inventory.leaving_rack_nodes(region)]
    return rack_networks(context.inventory.racks_of(region), context.inventory.nodes(), leaving)


async def refresh_volumes(context: Context, pods: list[Pod], mark: str) -> None:
    """Touch each pod that does not have the mark: the kubelet then refreshes its volumes at once, not in a minute."""
    annotations = {names.ANNOTATION_CONFIG: mark}
    limit = asyncio.Semaphore(PARALLEL_TOUCHES)

    async def touch(pod: Pod) -> None:
        async with limit:
            await context.client.annotate(POD, pod.namespace, pod.name, annotations)

    outdated = [pod for pod in pods if pod.config != mark and not pod.deleting]
    await asyncio.gather(*map(touch, outdated))


def _status_fields(
    context: Context, region: RegionController, pods: list[Pod], endpoints: tuple[RegionEndpoint, ...]
) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "replicas": len([p for p in pods if not p.deleting]),
        "readyReplicas": len([p for p in pods if p.ready and not p.deleting]),
        "endpoints": [{"name": e.name, "address": e.address} for e in endpoints],
    }
    state = context.regions[region.meta.key].zone
    if state is not None:
        labels = {label for label, _ in state.zone.rrsets}
        fields["zone"] = {"serial": state.zone.serial, "names": len(labels), "digest": state.zone.digest}
    return fields


def _conditions(context: Context, region: RegionController, pods: list[Pod], config_hash: str) -> list[Condition]:
    readiness = _readiness(context, region, pods)
    others = (
        _zone_condition(context, region),
        external_condition(context, region),
        config_condition(context, pods, config_hash),
    )
    return [*readiness, *(found for found in others if found is not None)]


def _readiness(context: Context, region: RegionController, pods: list[Pod]) -> tuple[Condition, ...]:
    refusal = context.regions[region.meta.key].refusal
    if refusal:
        return condition.refused(refusal)
    trouble = secret_trouble(context, region)
    if trouble is not None:
        return condition.waiting(trouble.reason, trouble.words)
    ready = len([p for p in pods if p.ready and not p.deleting])
    if ready >= region.replicas and len(pods) == region.replicas:
        return condition.ready(f"{ready} of {region.replicas} replicas are ready")
    problems = [f"{p.name}: {p.problem}" for p in pods if p.problem]
    if problems:
        return condition.waiting("PodsNotReady", "; ".join(problems), alarming=True)
    return condition.waiting("Starting", f"{ready} of {region.replicas} replicas are ready")


def _zone_condition(context: Context, region: RegionController) -> Condition | None:
    state = context.regions[region.meta.key].zone
    if state is None:
        return None
    if state.problem:
        return Condition(condition.ZONE_PUBLISHED, False, state.reason, state.problem, alarming=True)
    drifted = sorted(s.name for s, o in state.outcomes.items() if o is Outcome.DRIFTED)
    if drifted:
        return content_differs(drifted)
    wrong = _wrong_servers(context, state)
    if wrong:
        message = f"serial {state.zone.serial} is not served by {', '.join(wrong)}; it is sent again"
        return Condition(condition.ZONE_PUBLISHED, False, "ServersDiffer", message, alarming=True)
    return Condition(condition.ZONE_PUBLISHED, True, "Published", "every name server in reach serves the zone")


def _wrong_servers(context: Context, state: ZoneState) -> list[str]:
    """The servers in reach that do not serve the zone, each with what is to be done if sending it again cannot help."""
    found = []
    for server, outcome in state.outcomes.items():
        serial = context.health.serial(server)
        if serial is not None and not is_plausible(serial, state.zone.serial):
            found.append(f"{server.name} (has serial {serial}, too far ahead to follow: remove its copy of the zone)")
        elif outcome is Outcome.REFUSED:
            found.append(f"{server.name} (refuses our signature: check its clock and its key)")
        elif outcome is Outcome.FAILED:
            found.append(f"{server.name} (cannot keep it: its disk may be full; see the log of its container named)")
        elif outcome is Outcome.DIFFERS or (outcome is Outcome.UNREACHABLE and serial not in (None, state.zone.serial)):
            # One that was out of reach when the zone was sent may have it all the same.
            found.append(server.name)
    return sorted(found)


def config_condition(context: Context, pods: list[Pod], wanted_hash: str) -> Condition | None:
    """ConfigApplied as the agents of these pods report it; None while no agent has been heard."""
    rejected, pending, restarts, heard = [], [], [], False
    for pod in pods:
        sighting = context.health.find_pod(pod)
        if sighting is None or sighting.status is None:
            continue
        heard = True
        rejected += [f"{pod.name}: {d}: {words}" for d, words in sorted(sighting.status.rejected.items())]
        if sighting.status.config_hash != wanted_hash or not sighting.status.config_applied:
            pending.append(pod.name)
        if sighting.status.restart_needed:
            restarts.append(f"{pod.name} ({', '.join(sighting.status.restart_needed)})")
    if not heard:
        return None
    if rejected:
        return Condition(condition.CONFIG_APPLIED, False, "ConfigRejected", "; ".join(rejected), alarming=True)
    if pending:
        return Condition(condition.CONFIG_APPLIED, False, "Applying", f"not yet applied by {', '.join(pending)}")
    if restarts:
        # What reads its file at its start alone makes the pod template differ, so its pods are replaced.
        words = f"a new file is read at the next start, which the rollout of pods brings about: {', '.join(restarts)}"
        return Condition(condition.CONFIG_APPLIED, False, "RestartPending", words)
    return Condition(condition.CONFIG_APPLIED, True, "Applied", "every agent in reach runs the configuration")
