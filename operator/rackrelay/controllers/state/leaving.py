"""Rack pods that no RackController asks for any more. Pure.

Their daemons serve on for the TTL after the pod is told to stop, and machines go on using them for as long: until
the pod is gone it is let in by regions, gets the zone's changes and counts as a rack that is leaving.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from rackrelay import names
from rackrelay.model.observed import Node, Pod
from rackrelay.model.rack import RackController
from rackrelay.model.region import RegionController


def find_leaving(
    region: RegionController, pods: Iterable[Pod], racks: Sequence[RackController], nodes: Iterable[Node]
) -> list[tuple[Node, Pod]]:
    """A region's rack pods whose RackController is gone or going, or does not select their node, with that node.

    Kubernetes deletes them a moment later; they count as being deleted from the first.
    """
    selectors = {rack.meta.name: rack.pods.node_selector for rack in racks if not rack.meta.deleting}
    by_name = {node.name: node for node in nodes}
    found = []
    for pod in pods:
        node = by_name.get(pod.node)
        if node is None or pod.component != names.COMPONENT_RACK or pod.region != region.meta.name:
            continue
        selector = selectors.get(pod.owner)
        if selector is None or not node.matches(selector):
            found.append((node, replace(pod, deleting=True)))
    return found
