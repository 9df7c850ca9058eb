"""The racks of a region as objects in the cluster: nodes, with the pods on them, by RackController."""

from typing import NamedTuple

from rackrelay.model.observed import Node, Pod
from rackrelay.model.rack import RackController


class RackNode(NamedTuple):
    """One rack: a node, and the rack pod that runs there."""

    node: Node
    pod: Pod | None


RackGroup = tuple[RackController, list[RackNode]]
