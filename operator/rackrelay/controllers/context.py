"""What all controllers share: the operator's memory and its connections."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import aiohttp

from rackrelay import names
from rackrelay.cluster.cache import Cache
from rackrelay.cluster.client import REGION, Client, Kind
from rackrelay.controllers.evidence import EvidenceBook, Sighting
from rackrelay.controllers.queue import Key, Queue
from rackrelay.manifests.containers import Image
from rackrelay.model.detection import FailureDetection
from rackrelay.model.meta import Meta
from rackrelay.model.observed import NameServer, Node, Pod
from rackrelay.model.rack import Network, RackController
from rackrelay.model.reference import belongs_to, duplicates
from rackrelay.model.region import RegionController
from rackrelay.model.subnet import Subnet
from rackrelay.settings import Settings
from rackrelay.zone.evidence import Evidence, Judgement, judge
from rackrelay.zone.plan import Zone
from rackrelay.zone.publish import Key as TsigKey
from rackrelay.zone.publish import Outcome
from rackrelay.zone.records import Answer, RackView
from rackrelay.zone.steadiness import observe, temper

RegionKey = tuple[str, str]


@dataclass(frozen=True)
class RegionKeys:
    """A region's two keys, as read from its Secrets.

    `accepted`, `signing`: rotations of the TSIG key, see `controllers/keys.py`; so they have been `since` then, a
    monotonic time, in that `version` of the Secret.
    """

    tsig: TsigKey
    agent: bytes = field(repr=False)
    accepted: tuple[int, ...] = (1,)
    signing: int = 1
    since: float = field(default=0.0, compare=False)
    version: str | None = field(default=None, compare=False)


@dataclass(frozen=True)
class ZoneState:
    """A region's zone as it was last computed and published. `problem`: why a newer one could not be."""

    zone: Zone
    answers: Mapping[Network, Answer]
    outcomes: Mapping[NameServer, Outcome]
    problem: str = ""


@dataclass
class Context:
    """One running operator."""

    settings: Settings
    client: Client
    cache: Cache
    queue: Queue
    book: EvidenceBook
    agents: aiohttp.ClientSession
    keys: dict[RegionKey, RegionKeys] = field(default_factory=dict)
    zones: dict[RegionKey, ZoneState] = field(default_factory=dict)
    config_hashes: dict[tuple[Kind, str, str], str] = field(default_factory=dict)

    @property
    def image(self) -> Image:
        """What region and rack pods run unless a resource says otherwise."""
        return Image(self.settings.dataplane_image, self.settings.dataplane_pull_policy)

    def detection(self, key: RegionKey) -> FailureDetection:
        """How soon servers of a region count as silent."""
        resource = self.cache.resource(REGION, key)
        spec = resource.spec if resource is not None else None
        return spec.detection if isinstance(spec, RegionController) else FailureDetection()

    def now(self) -> float:
        """Monotonic seconds."""
        return time.monotonic()

    def is_decided(self, region: RegionController) -> bool:
        """Whether the region's zone has been decided since this operator started.

        Until then a status that an operator before it wrote says more than this one knows, and stays.
        """
        return region.meta.key in self.zones

    def has_status(self, kind: Kind, meta: Meta) -> bool:
        """Whether an operator has written a resource's status before; the definition's default is generation -1."""
        resource = self.cache.resource(kind, meta.key)
        return resource is not None and resource.status.get("observedGeneration", -1) > 0

    def subnets_of(self, region: RegionController) -> tuple[Subnet, ...]:
        """The Subnets of a region that count, by name."""
        everything = self.cache.subnets(region.meta.namespace)
        left_out = duplicates(everything)
        regions = self.cache.regions(region.meta.namespace)
        return tuple(
            s
            for s in everything
            if s.meta.key not in left_out and not s.meta.deleting and belongs_to(s.region, region, regions)
        )

    def racks_of(self, region: RegionController) -> tuple[RackController, ...]:
        """The RackControllers of a region, by name."""
        regions = self.cache.regions(region.meta.namespace)
        racks = self.cache.racks(region.meta.namespace)
        return tuple(r for r in racks if not r.meta.deleting and belongs_to(r.region, region, regions))

    def nodes_of(self, rack: RackController) -> list[Node]:
        """The nodes that a RackController selects: these are its racks, whether or not a pod runs there yet."""
        return [node for node in self.cache.nodes() if node.matches(rack.pods.node_selector)]

    def pods_of(self, component: str, namespace: str, owner: str) -> list[Pod]:
        """The pods of a region or of a RackController, by name."""
        pods = self.cache.pods(namespace)
        return [p for p in pods if p.component == component and p.owner == owner]

    def rack_pods(self, rack: RackController) -> dict[str, Pod]:
        """Node name -> rack pod; a pod that stays wins over one that is being deleted."""
        pods = self.pods_of(names.COMPONENT_RACK, rack.meta.namespace, rack.meta.name)
        return {pod.node: pod for pod in sorted(pods, key=lambda p: not p.deleting) if pod.node}

    def views_of(self, rack: RackController) -> list[RackView]:
        """The racks of a RackController, one a node, each with its tier now and the addresses that count."""
        pods = self.rack_pods(rack)
        return [self._view(rack, node, pods.get(node.name)) for node in self.nodes_of(rack)]

    def _view(self, rack: RackController, node: Node, pod: Pod | None) -> RackView:
        judgement = self.judge(rack, node, pod)
        sighting = self.book.find(rack.meta.namespace, node.name)
        if sighting is not None:
            judgement = temper(sighting.steadiness, judgement, self.now())
        return RackView(node.name, self.book.addresses(rack, node.name), judgement)

    def judge(self, rack: RackController, node: Node, pod: Pod | None) -> Judgement:
        """The tier of one rack as it looks at this moment, whatever its past."""
        sighting = self.book.find(rack.meta.namespace, node.name)
        asked = node.drained or node.name in rack.drained_nodes
        leaving = pod is not None and pod.deleting
        now = self.now()
        heard = self.book.heard(rack.meta.namespace, node.name, now)
        evidence = sighting.evidence(asked, leaving, heard) if sighting and pod else Evidence(misses=0)
        return judge(evidence, now, sighting.detection if sighting else FailureDetection())

    def note_steadiness(self, rack: RackController) -> None:
        """Add the judgement of this moment to each rack's past."""
        pods, now = self.rack_pods(rack), self.now()
        for node in self.nodes_of(rack):
            sighting = self.book.find(rack.meta.namespace, node.name)
            if sighting is not None:
                judged = self.judge(rack, node, pods.get(node.name))
                sighting.steadiness = observe(sighting.steadiness, judged, now)

    def replicas_of(self, region: RegionController) -> list[NameServer]:
        """The region's own name servers; their agents hear the racks."""
        namespace = region.meta.namespace
        pods = self.pods_of(names.COMPONENT_REGION, namespace, region.meta.name)
        return [NameServer(namespace, p.name, p.address, names.PORT_REGION_DNS) for p in pods if p.address]

    def live_regions(self) -> list[RegionController]:
        """The regions of all namespaces that nobody is deleting."""
        namespaces = self.settings.region_namespaces
        return [r for ns in namespaces for r in self.cache.regions(ns) if not r.meta.deleting]

    def servers_of(self, region: RegionController) -> list[NameServer]:
        """The name servers that should serve a region's zone: its own pods and its racks."""
        namespace = region.meta.namespace
        servers = self.replicas_of(region)
        for rack in self.racks_of(region):
            nodes = {node.name for node in self.nodes_of(rack)}
            for node, pod in self.rack_pods(rack).items():
                if pod.address and node in nodes:
                    servers.append(NameServer(namespace, node, pod.address, names.PORT_DNS))
        return servers

    def sighting_of(self, pod: Pod) -> Sighting | None:
        """What was seen of a pod's name server and agent."""
        name = pod.node if pod.component == names.COMPONENT_RACK else pod.name
        return self.book.find(pod.namespace, name)

    def enqueue_namespace(self, namespace: str) -> None:
        """Have everything of a namespace reconciled."""
        for region in self.cache.regions(namespace):
            self.queue.add(Key("region", *region.meta.key))
            self.queue.add(Key("zone", *region.meta.key))
        for rack in self.cache.racks(namespace):
            self.queue.add(Key("rack", *rack.meta.key))
        for subnet in self.cache.subnets(namespace):
            self.queue.add(Key("subnet", *subnet.meta.key))
