"""Replace racks whose pod template has changed: one rack of a subnet at a time, and none while another is in trouble.

Deleting the pod is the drain: its deletion timestamp takes it out of the zone at once, and its daemons serve on for the
TTL before they stop.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from rackrelay.cluster.client import POD
from rackrelay.controllers.context import Context
from rackrelay.model.observed import Pod
from rackrelay.model.rack import Network, RackController
from rackrelay.zone.evidence import Tier
from rackrelay.zone.records import PrefixIndex, RackView


@dataclass(frozen=True)
class Candidate:
    """One rack. `in_trouble`: its pod is missing, stopping, or runs the new template and is not healthy."""

    node: str
    outdated: bool
    in_trouble: bool
    networks: frozenset[Network]


def choose_next(racks: Sequence[Candidate]) -> list[str]:
    """The nodes whose racks may be replaced now, such that no subnet loses two racks at once."""
    taken: set[Network] = set()
    for rack in racks:
        if rack.in_trouble:
            taken |= rack.networks
    chosen = []
    for rack in racks:
        if rack.outdated and not rack.in_trouble and not rack.networks & taken:
            chosen.append(rack.node)
            taken |= rack.networks
    return chosen


async def replace_outdated(context: Context, rack: RackController, template: str) -> tuple[int, int]:
    """(racks that run the template, racks that have a pod), after having replaced those that may be."""
    pods = context.rack_pods(rack)
    current = sum(1 for pod in pods.values() if pod.template == template)
    if current == len(pods):
        return current, current
    index = PrefixIndex(subnet.cidr for subnet in context.cache.subnets(rack.meta.namespace))
    # A node that is down can neither be replaced nor waited for.
    up = {node.name for node in context.nodes_of(rack) if node.ready}
    views = [view for view in context.views_of(rack) if view.name in up]
    candidates = [_candidate(view, pods.get(view.name), template, index) for view in views]
    for node in choose_next(candidates):
        pod = pods[node]
        await context.client.delete(POD, pod.namespace, pod.name, pod.uid)
    return current, len(pods)


def _candidate(view: RackView, pod: Pod | None, template: str, index: PrefixIndex) -> Candidate:
    outdated = pod is not None and pod.template != template
    works = view.judgement.tier in (Tier.HEALTHY, Tier.DRAINED)
    in_trouble = pod is None or pod.deleting or (not outdated and not works)
    own = frozenset(network for address in view.addresses for network in index.find_all(address))
    return Candidate(view.name, outdated, in_trouble, own)
