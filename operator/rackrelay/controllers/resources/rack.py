"""One RackController: its configuration and pods, and the health of its racks in its status."""

from collections.abc import Mapping
from typing import Any

from rackrelay import names
from rackrelay.cluster.apply import apply_objects
from rackrelay.cluster.client import CONFIG_MAP, EVENT, RACK, SERVICE
from rackrelay.cluster.status import write_status
from rackrelay.controllers import work
from rackrelay.controllers.health.judging import count_tiers
from rackrelay.controllers.resources.keys import accepted_keys, note_rack_config, volume_mark
from rackrelay.controllers.resources.region import config_condition, refresh_volumes
from rackrelay.controllers.resources.rollout import Progress, replace_outdated
from rackrelay.controllers.state.context import Context
from rackrelay.controllers.work import Key
from rackrelay.errors import InvalidSpec, NotReady
from rackrelay.manifests.desired import desire_rack, find_endpoints
from rackrelay.manifests.pods import template_digest
from rackrelay.model import condition
from rackrelay.model.condition import Condition
from rackrelay.model.observed import Node, Pod
from rackrelay.model.rack import RackController
from rackrelay.model.reference import resolve_region
from rackrelay.model.region import RegionController
from rackrelay.render.inputs import RackInputs
from rackrelay.zone.evidence import Tier
from rackrelay.zone.rule import RackView

MAX_LISTED = 32
RECHECK_S = 5.0


async def reconcile_rack(context: Context, rack: RackController) -> None:
    """Apply what the racks consist of and write the status."""
    try:
        region = resolve_region(rack.region, context.inventory.regions(rack.meta.namespace))
    except InvalidSpec as error:
        await _write(context, rack, [*condition.stalled("AmbiguousRegion", str(error))])
        return
    except NotReady as error:
        await _write(context, rack, [*condition.waiting("RegionNotFound", str(error))])
        return
    zone_config = context.cache.owned(CONFIG_MAP, region.meta.namespace, names.zone_config(region.meta.name))
    endpoints = find_endpoints(region, context.cache.all_owned(SERVICE, region.meta.namespace))
    if zone_config is None or len(endpoints) < region.replicas:
        await _write(context, rack, [*condition.waiting("WaitingForRegion", "the region's Services are being made")])
        raise NotReady("the region is not laid out yet")
    keys = accepted_keys(context, region)
    inputs = RackInputs(region, context.inventory.subnets_of(region), endpoints, keys)
    try:
        desired = desire_rack(rack, inputs, context.image)
    except InvalidSpec as error:
        # All that is rendered for racks comes from the region, which says so too.
        words = f"RegionController {region.meta.name}: {error}; the racks go on with what was applied last"
        await _write(context, rack, [*condition.waiting("RegionInvalid", words)], region)
        return
    await apply_objects(context.client, context.cache, desired.objects)
    pods = list(context.inventory.rack_pods(rack).values())
    await refresh_volumes(context, pods, volume_mark(context, region, desired.config_hash))
    if accepted_keys(context, region) == keys:
        # Otherwise a rotation went on meanwhile, and whoever runs this has not applied its step.
        note_rack_config(context, region, rack, desired.config_hash)
    config = config_condition(context, pods, desired.config_hash)
    template = template_digest(desired.objects[-1])
    readiness = await _readiness(context, rack, template)
    if context.is_decided(region):
        progress = await replace_outdated(context, region, rack, template)
        if progress.current < progress.pods:
            context.queue.add_later(Key(work.RACK, *rack.meta.key), RECHECK_S)
        if not any(found.alarming for found in readiness):
            readiness = _updating(progress) or readiness
    elif context.has_status(RACK, rack.meta):
        return
    await _write(context, rack, [*readiness, *([config] if config else [])], region)


def _updating(progress: Progress) -> tuple[Condition, ...]:
    if progress.current == progress.pods:
        return ()
    count = f"{progress.current} of {progress.pods} racks run the new pod template"
    message = f"{count}; one rack of a subnet is replaced at a time"
    if progress.waits_for:
        message = f"{message}, after {', '.join(progress.waits_for)}"
    return condition.waiting("Updating", message)


async def _readiness(context: Context, rack: RackController, template: str) -> tuple[Condition, ...]:
    nodes, pods = context.inventory.nodes_of(rack), context.inventory.rack_pods(rack)
    problems = _problems(nodes, pods, template)
    missing = [node.name for node in nodes if node.name not in pods]
    if problems:
        return condition.waiting("PodsNotReady", "; ".join(problems), alarming=True)
    if missing:
        context.queue.add_later(Key(work.RACK, *rack.meta.key), RECHECK_S)
        refusal = await _find_refusal(context, rack)
        if refusal:
            return condition.waiting("PodsRefused", refusal, alarming=True)
        return condition.waiting("Starting", f"no pod yet on {', '.join(missing)}")
    return condition.ready(f"{len(nodes)} nodes selected, each has its rack")


def _problems(nodes: list[Node], pods: Mapping[str, Pod], template: str) -> list[str]:
    """What is wrong with the spec, by the pods that run it: not what one rack alone has, nor what a dead node had.

    What does not stay up on one node, though it does on another, is for RacksHealthy to tell.
    """
    current = {n.name: pods[n.name] for n in nodes if n.ready and n.name in pods and pods[n.name].template == template}
    stays_up = any(pod.ready for pod in current.values())
    wrong = {node: pod for node, pod in current.items() if pod.problem and not (pod.crashing and stays_up)}
    return [f"{node}: {pod.problem}" for node, pod in wrong.items()]


async def _find_refusal(context: Context, rack: RackController) -> str:
    """Why the DaemonSet makes no pods; only its Events tell. Empty when there is none."""
    workload = names.rack_workload(rack.meta.name)
    selector = f"involvedObject.kind=DaemonSet,involvedObject.name={workload},reason=FailedCreate"
    events = await context.client.list(EVENT, rack.meta.namespace, fieldSelector=selector)
    newest = max(events, key=lambda e: e.get("lastTimestamp") or "", default=None)
    if newest is None:
        return ""
    advice = "racks use the host network: allow it with the label pod-security.kubernetes.io/enforce=privileged"
    message: str = newest.get("message", "")
    return f"{message}; {advice} on namespace {rack.meta.namespace}" if "PodSecurity" in message else message


async def _write(
    context: Context, rack: RackController, conditions: list[Condition], region: RegionController | None = None
) -> None:
    fields: dict[str, Any] = {}
    if region is not None and context.is_decided(region):
        views = context.health.views([(rack, context.inventory.rack_nodes_of(rack))], context.now())
        listed, health = _health(context, region, views)
        conditions = [*conditions, health]
        fields = {"racks": {"desired": len(views), **count_tiers(views)}, "notHealthy": listed}
    await write_status(context.client, context.cache, RACK, rack.meta, (fields, conditions))


def _health(
    context: Context, region: RegionController, views: list[RackView]
) -> tuple[list[dict[str, str]], Condition]:
    index = context.inventory.index_of(region)
    listed = []
    for view in views:
        judgement = view.judgement
        if judgement.tier is not Tier.HEALTHY:
            listed.append(_entry(view.name, judgement.tier.word, judgement.reason, judgement.message))
        elif all(index.find(address) is None for address in view.addresses):
            listed.append(_entry(view.name, judgement.tier.word, "NoSubnet", _no_subnet(view)))
    if not views:
        return [], Condition(
            condition.RACKS_HEALTHY, False, "NoRacks", "no node matches spec.pods.nodeSelector; label the rack nodes"
        )
    if listed:
        names_text = ", ".join(f"{entry['node']} ({entry['reason']})" for entry in listed)
        return listed[:MAX_LISTED], Condition(condition.RACKS_HEALTHY, False, "Degraded", names_text, alarming=True)
    return [], Condition(condition.RACKS_HEALTHY, True, "AllHealthy", f"{len(views)} racks are healthy")


def _entry(node: str, tier: str, reason: str, message: str) -> dict[str, str]:
    return {"node": node, "tier": tier, "reason": reason, "message": message[:1024]}


def _no_subnet(view: RackView) -> str:
    has = ", ".join(str(a) for a in view.addresses) or "none that counts"
    return f"no address of this node lies in a Subnet, so no machine uses it; it has {has}: add a Subnet or an address"
