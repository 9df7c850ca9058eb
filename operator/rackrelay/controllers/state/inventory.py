"""What belongs to a region, by the objects in the cache: its Subnets, racks, pods and name servers.

All of it follows from objects alone and is computed once for each change of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from rackrelay import names
from rackrelay.cluster.cache import Cache
from rackrelay.cluster.client import NODE, POD, RACK, REGION, SUBNET
from rackrelay.controllers.health.groups import RackGroup, RackNode
from rackrelay.controllers.state.leaving import find_leaving
from rackrelay.controllers.state.region_state import RegionKey
from rackrelay.model.detection import FailureDetection
from rackrelay.model.meta import Meta
from rackrelay.model.observed import Node, Pod
from rackrelay.model.rack import RackController
from rackrelay.model.reference import belongs_to, duplicates, find_overlapping
from rackrelay.model.region import RegionController
from rackrelay.model.subnet import Subnet
from rackrelay.nameservers.server import NameServer
from rackrelay.zone.layout import PrefixIndex


@dataclass
class Inventory:
    """What there is in the namespaces of regions.

    `former_racks`: each RackController as it was last, by its key, for as long as it is there or has pods.
    """

    cache: Cache
    namespaces: tuple[str, ...]
    former_racks: dict[tuple[str, str], RackController] = field(default_factory=dict)

    def regions(self, namespace: str) -> list[RegionController]:
        """The RegionControllers of a namespace, by name."""
        return self.cache.specs(REGION, namespace)

    def racks(self, namespace: str) -> list[RackController]:
        """The RackControllers of a namespace, by name."""
        return self.cache.specs(RACK, namespace)

    def subnets(self, namespace: str) -> list[Subnet]:
        """The Subnets of a namespace, by name."""
        return self.cache.specs(SUBNET, namespace)

    def pods(self, namespace: str) -> list[Pod]:
        """Our pods in a namespace, by name."""
        return self.cache.records(POD, namespace)

    def nodes(self) -> list[Node]:
        """All nodes, by name."""
        return self.cache.records(NODE)

    def detection(self, key: RegionKey) -> FailureDetection:
        """How soon servers of a region count as silent."""
        resource = self.cache.resource(REGION, key)
        spec = resource.spec if resource is not None else None
        return spec.detection if isinstance(spec, RegionController) else FailureDetection()

    def live_regions(self) -> list[RegionController]:
        """The regions of all namespaces that nobody is deleting."""
        return [r for ns in self.namespaces for r in self.regions(ns) if not r.meta.deleting]

    def subnets_of(self, region: RegionController) -> tuple[Subnet, ...]:
        """The Subnets of a region that count, by name."""

        def compute() -> tuple[Subnet, ...]:
            everything = self.subnets(region.meta.namespace)
            left_out = duplicates(everything)
            regions = self.regions(region.meta.namespace)
            return tuple(
                s
                for s in everything
                if s.meta.key not in left_out and not s.meta.deleting and belongs_to(s.region, region, regions)
            )

        return self.cache.derive(("subnets", region.meta.key), (SUBNET, REGION), compute)

    def overlapping(self, subnet: Subnet) -> list[Subnet]:
        """The other Subnets of the namespace that share addresses with one, by name."""
        found = find_overlapping(subnet, self.cache.each_spec(SUBNET, subnet.meta.namespace))
        return sorted(found, key=lambda other: other.meta.name)

    def related_to(self, subnet: Subnet) -> list[Subnet]:
        """The other Subnets whose status says something of this one: those that share its addresses, or its racks."""
        everything = self.cache.each_spec(SUBNET, subnet.meta.namespace)
        return [*self.overlapping(subnet), *(other for other in everything if other.served_by == subnet.meta.name)]

    def index_of(self, region: RegionController) -> PrefixIndex:
        """The Subnets of a region for which an address of a rack counts: those that are not relayed."""

        def compute() -> PrefixIndex:
            return PrefixIndex(s.cidr for s in self.subnets_of(region) if s.served_by is None)

        return self.cache.derive(("index", region.meta.key), (SUBNET, REGION), compute)

    def subnet(self, namespace: str, name: str) -> Subnet | None:
        """One Subnet."""
        resource = self.cache.resource(SUBNET, (namespace, name))
        spec = resource.spec if resource is not None else None
        return spec if isinstance(spec, Subnet) else None

    def racks_of(self, region: RegionController) -> tuple[RackController, ...]:
        """The RackControllers of a region, by name."""

        def compute() -> tuple[RackController, ...]:
            regions = self.regions(region.meta.namespace)
            racks = self.racks(region.meta.namespace)
            return tuple(r for r in racks if not r.meta.deleting and belongs_to(r.region, region, regions))

        return self.cache.derive(("racks", region.meta.key), (RACK, REGION), compute)

    def nodes_of(self, rack: RackController) -> list[Node]:
        """The nodes that a RackController selects: these are its racks, whether or not a pod runs there yet."""
        return [node for node, _ in self.rack_nodes_of(rack)]

    def rack_nodes_of(self, rack: RackController) -> list[RackNode]:
        """The nodes that a RackController selects, by name, each with its rack pod."""

        def compute() -> list[RackNode]:
            pods = self.rack_pods(rack)
            nodes = [node for node in self.nodes() if node.matches(rack.pods.node_selector)]
            return [RackNode(node, pods.get(node.name)) for node in nodes]

        return self.cache.derive(("hosts", rack.meta.key), (NODE, POD, RACK), compute)

    def leaving_rack_nodes(self, region: RegionController) -> list[tuple[Node, Pod]]:
        """The nodes of a region's rack pods that no RackController asks for any more, each with its pod."""

        def compute() -> list[tuple[Node, Pod]]:
            namespace = region.meta.namespace
            staying = {node.name for rack in self.racks_of(region) for node, pod in self.rack_nodes_of(rack) if pod}
            found = find_leaving(region, self.pods(namespace), self.racks(namespace), self.nodes())
            return [(node, pod) for node, pod in found if node.name not in staying]

        return self.cache.derive(("leaving", region.meta.key), (NODE, POD, RACK, REGION), compute)

    def rack_groups_of(self, region: RegionController) -> list[RackGroup]:
        """The racks of a region, each node once, by the RackController that their pods are or were of."""

        def compute() -> list[RackGroup]:
            self._note_racks(region.meta.namespace)
            leaving = self.leaving_rack_nodes(region)
            # A rack that is to follow one that leaves has no pod yet.
            busy = {node.name for node, _ in leaving}
            groups: list[RackGroup] = [
                (rack, [found for found in self.rack_nodes_of(rack) if found.pod or found.node.name not in busy])
                for rack in self.racks_of(region)
            ]
            return groups + [(self._former_rack(pod), [RackNode(node, pod)]) for node, pod in leaving]

        return self.cache.derive(("groups", region.meta.key), (NODE, POD, RACK, REGION), compute)

    def _note_racks(self, namespace: str) -> None:
        pods = self.pods(namespace)
        had = {(namespace, pod.owner) for pod in pods if pod.component == names.COMPONENT_RACK}
        kept = {key: rack for key, rack in self.former_racks.items() if key in had or key[0] != namespace}
        self.former_racks = kept | {rack.meta.key: rack for rack in self.racks(namespace)}

    def _former_rack(self, pod: Pod) -> RackController:
        unknown = RackController(Meta(pod.namespace, pod.owner))
        return self.former_racks.get((pod.namespace, pod.owner), unknown)

    def rack_nodes_in(self, region: RegionController) -> list[RackNode]:
        """The nodes of all racks of a region, each with its rack pod."""
        return [found for _, nodes in self.rack_groups_of(region) for found in nodes]

    def pods_of(self, component: str, namespace: str, owner: str) -> list[Pod]:
        """The pods of a region or of a RackController, by name."""
        pods = self.pods(namespace)
        return [p for p in pods if p.component == component and p.owner == owner]

    def rack_pods(self, rack: RackController) -> Mapping[str, Pod]:
        """Node name -> rack pod; a pod that stays wins over one that is being deleted."""

        def compute() -> Mapping[str, Pod]:
            pods = self.pods_of(names.COMPONENT_RACK, rack.meta.namespace, rack.meta.name)
            return {pod.node: pod for pod in sorted(pods, key=lambda p: not p.deleting) if pod.node}

        return self.cache.derive(("pods", rack.meta.key), (POD,), compute)

    def replicas_of(self, region: RegionController) -> list[NameServer]:
        """The region's own name servers; their agents hear the racks."""
        namespace = region.meta.namespace
        pods = self.pods_of(names.COMPONENT_REGION, namespace, region.meta.name)
        return [NameServer(namespace, p.name, p.address, names.PORT_REGION_DNS) for p in pods if p.address]

    def servers_of(self, region: RegionController) -> list[NameServer]:
        """The name servers that should serve a region's zone: its own pods and its racks."""

        def compute() -> list[NameServer]:
            namespace = region.meta.namespace
            racks = [
                NameServer(namespace, node.name, pod.address, names.PORT_DNS)
                for node, pod in self.rack_nodes_in(region)
                if pod and pod.address
            ]
            return [*self.replicas_of(region), *racks]

        return self.cache.derive(("servers", region.meta.key), (NODE, POD, RACK, REGION), compute)

    def owners(self) -> Mapping[NameServer, RegionController]:
        """Every name server with its region."""

        def compute() -> Mapping[NameServer, RegionController]:
            return {server: region for region in self.live_regions() for server in self.servers_of(region)}

        return self.cache.derive(("owners",), (NODE, POD, RACK, REGION), compute)
