"""Replace racks whose pod template has changed: one rack of a subnet at a time, never the last that serves it.

Deleting the pod is the drain: its deletion timestamp takes it out of the zone at once, and its daemons serve on for the
TTL before they stop. All racks of a region are looked at together, whichever RackControllers they belong to.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from rackrelay import names
from rackrelay.addresses import Network
from rackrelay.cluster.client import DAEMON_SET, POD
from rackrelay.controllers.state.context import Context
from rackrelay.controllers.state.region_state import Replaced
from rackrelay.errors import ClusterError
from rackrelay.manifests.pods import template_digest
from rackrelay.model.observed import Pod
from rackrelay.model.rack import RackController
from rackrelay.model.region import RegionController
from rackrelay.zone.evidence import Tier
from rackrelay.zone.rule import RackView

SERVING = (Tier.HEALTHY, Tier.DEGRADED)
MAX_NAMED = 8


@dataclass(frozen=True)
class Candidate:
    """One rack, with its tier in each network in which machines use it.

    `changing`: its pod is missing, stopping or just deleted. `up`: its node is Ready; one that is down can neither be
    replaced nor waited for.
    """

    node: str
    tiers: Mapping[Network, Tier] = field(default_factory=dict)
    outdated: bool = False
    changing: bool = False
    up: bool = True

    def troubled(self) -> Iterator[Network]:
        """The networks in which no other rack may be replaced: it is being replaced, or has been and is not well."""
        for network, tier in self.tiers.items():
            if self.up and (self.changing or (not self.outdated and tier not in (Tier.HEALTHY, Tier.DRAINED))):
                yield network


@dataclass(frozen=True)
class Progress:
    """How far a RackController's racks are. `waits_for`: racks that hold up those which are not replaced yet."""

    current: int
    pods: int
    waits_for: tuple[str, ...] = ()


def choose_next(racks: Sequence[Candidate]) -> dict[str, set[str]]:
    """Node of each outdated rack -> the nodes that it waits for: none for one that may be replaced now.

    Racks that serve worst go first: they are missed least, and the new template may be their cure.
    """
    holders: dict[Network, set[str]] = {}
    members: dict[Network, list[Candidate]] = {}
    for rack in racks:
        for network in rack.tiers:
            members.setdefault(network, []).append(rack)
        for network in rack.troubled():
            holders.setdefault(network, set()).add(rack.node)
    waiting: dict[str, set[str]] = {}
    outdated = [rack for rack in racks if rack.outdated and rack.up and not rack.changing]
    for rack in sorted(outdated, key=lambda r: max(r.tiers.values(), default=Tier.UNREACHABLE), reverse=True):
        waiting[rack.node] = set()
        for network in rack.tiers:
            waiting[rack.node] |= holders.get(network) or _missed_by(rack, network, members[network])
        for network in rack.tiers if not waiting[rack.node] else ():
            holders.setdefault(network, set()).add(rack.node)
    return waiting


def _missed_by(rack: Candidate, network: Network, members: Sequence[Candidate]) -> set[str]:
    """The racks of which one has to serve a network before this one may stop serving it; none when it may."""
    others = [member for member in members if member is not rack]
    if rack.tiers[network] not in SERVING or any(other.tiers[network] in SERVING for other in others):
        return set()
    # Nobody to wait for: the only rack of a subnet has to be replaced all the same.
    return {other.node for other in others if other.up}


async def replace_outdated(context: Context, region: RegionController, rack: RackController, template: str) -> Progress:
    """How far a RackController's racks are, after having replaced those that may be."""
    ready = {node.name for node in context.inventory.nodes_of(rack) if node.ready}
    pods = {node: pod for node, pod in context.inventory.rack_pods(rack).items() if node in ready}
    current = sum(1 for pod in pods.values() if pod.template == template)
    if current == len(pods):
        return Progress(current, len(pods))
    candidates = gather_candidates(context, region)
    waiting = {node: others for node, others in choose_next(candidates).items() if node in pods}
    tiers = {candidate.node: candidate.tiers for candidate in candidates}
    for node in (node for node, others in waiting.items() if not others):
        await _delete(context, region, pods[node], Replaced(node, frozenset(tiers[node])))
    return Progress(current, len(pods), _name(context, region, set().union(*waiting.values())))


def _name(context: Context, region: RegionController, nodes: set[str]) -> tuple[str, ...]:
    state = context.regions[region.meta.key].zone
    members = [m for answer in (state.answers.values() if state else ()) for m in answer.members]
    reasons = {m.name: m.judgement.reason for m in members if m.judgement.reason}
    views = context.health.views(context.inventory.rack_groups_of(region), context.now())
    reasons |= {view.name: view.judgement.reason for view in views if view.judgement.reason}
    return tuple(f"{node} ({reasons.get(node) or 'being replaced'})" for node in sorted(nodes)[:MAX_NAMED])


async def _delete(context: Context, region: RegionController, pod: Pod, replaced: Replaced) -> None:
    being_replaced = context.regions[region.meta.key].replaced
    # Noted at once: the watch has yet to bring the deletion, and other RackControllers are looked at meanwhile.
    being_replaced[pod.uid] = replaced
    try:
        await context.client.delete(POD, pod.namespace, pod.name, pod.uid)
    except ClusterError:
        del being_replaced[pod.uid]
        raise


def gather_candidates(context: Context, region: RegionController) -> list[Candidate]:
    """All racks of a region, each measured by the template of its own RackController."""
    groups = context.inventory.rack_groups_of(region)
    views = {view.name: view for view in context.health.views(groups, context.now())}
    networks = _networks(context, region, views)
    found = []
    for rack, hosts in groups:
        template = _template(context, rack)
        for node, pod in hosts:
            tiers = networks.get(node.name, {})
            changing = pod is None or pod.deleting or pod.uid in context.regions[region.meta.key].replaced
            outdated = pod is not None and bool(template) and pod.template != template
            found.append(Candidate(node.name, tiers, outdated, changing, node.ready))
    return found


def _template(context: Context, rack: RackController) -> str:
    workload = context.cache.owned(DAEMON_SET, rack.meta.namespace, names.rack_workload(rack.meta.name))
    return template_digest(workload) if workload is not None else ""


def _networks(
    context: Context, region: RegionController, views: Mapping[str, RackView]
) -> dict[str, dict[Network, Tier]]:
    """Rack -> its tier in each network: as the zone was decided, or as it looks now where that is worse."""
    found: dict[str, dict[Network, Tier]] = {}
    state, index = context.regions[region.meta.key].zone, context.inventory.index_of(region)
    for view in views.values():
        own = {network for address in view.addresses if (network := index.find(address)) is not None}
        found[view.name] = dict.fromkeys(own, view.judgement.tier)
    for network, answer in state.answers.items() if state is not None else ():
        for member in answer.members:
            tiers = found.get(member.name, {})
            if network in tiers:
                tiers[network] = max(tiers[network], member.judgement.tier)
    for replaced in _forget_settled(context, region, views):
        tiers = found.get(replaced.node, {})
        for network in replaced.networks:
            tiers.setdefault(network, Tier.UNREACHABLE)
    return found


def _forget_settled(context: Context, region: RegionController, views: Mapping[str, RackView]) -> list[Replaced]:
    """The racks that this operator has replaced and that have not been well since then."""
    pods = {pod.uid for pod in context.inventory.pods(region.meta.namespace)}
    being_replaced = context.regions[region.meta.key].replaced
    for uid, replaced in list(being_replaced.items()):
        view = views.get(replaced.node)
        settled = view is None or (view.judgement.tier is Tier.HEALTHY and view.addresses)
        if uid not in pods and settled:
            del being_replaced[uid]
    return list(being_replaced.values())
