"""What all controllers share: the operator's memory and its connections."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from rackrelay import names
from rackrelay.cluster.cache import Cache
from rackrelay.cluster.client import NODE, POD, RACK, REGION, SUBNET, Client, Kind
from rackrelay.controllers.evidence import EvidenceBook
from rackrelay.controllers.leaving import find_leaving
from rackrelay.controllers.queue import Key, Queue
from rackrelay.controllers.sighting import Sighting
from rackrelay.controllers.tally import Tally
from rackrelay.manifests.containers import Image
from rackrelay.model.detection import FailureDetection
from rackrelay.model.meta import Meta
from rackrelay.model.observed import Address, NameServer, Node, Pod
from rackrelay.model.rack import Network, RackController
from rackrelay.model.reference import belongs_to, duplicates, find_overlaps
from rackrelay.model.region import RegionController
from rackrelay.model.subnet import Subnet
from rackrelay.settings import Settings
from rackrelay.zone.evidence import Evidence, Judgement, judge
from rackrelay.zone.external import Reading, Trouble
from rackrelay.zone.plan import Zone
from rackrelay.zone.publish import Key as TsigKey
from rackrelay.zone.publish import Outcome
from rackrelay.zone.records import Answer, PrefixIndex, RackView
from rackrelay.zone.steadiness import Steadiness, observe, temper

RegionKey = tuple[str, str]
Host = tuple[Node, Pod | None]
Crew = tuple[RackController, list[Host]]

# Each holds a zone and computes for most of its time.
PARALLEL_REPAIRS = 4
# A change is with all servers by then.
FOLLOW_S = 0.2


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
    """A region's zone as it was last computed and published. `problem`: why a newer one could not be, with the
    `reason` for its condition."""

    zone: Zone
    answers: Mapping[Network, Answer]
    outcomes: Mapping[NameServer, Outcome]
    problem: str = ""
    reason: str = "ZoneTooLarge"


@dataclass(frozen=True)
class ExternalSight:
    """What is seen of a name server that rackrelay does not run. `reading`: what it had when that was right last.

    `read_at`: when all of it was read, a monotonic time. `digest`: that of the zone to which it was brought.
    """

    trouble: Trouble | None = None
    reading: Reading | None = None
    read_at: float = float("-inf")
    digest: str = ""


@dataclass
class Repair:
    """A repair under way, to the version with a serial. `late`: nobody waits for it any more."""

    serial: int
    task: "asyncio.Task[Outcome]"
    late: bool = False


@dataclass(frozen=True)
class Replaced:
    """A rack whose pod this operator has deleted, and the networks in which machines used it."""

    region: RegionKey
    node: str
    networks: frozenset[Network]


@dataclass
class Context:
    """One running operator. `kept_zones`: each region's zone ConfigMap with the Zone that was read from it.

    `former_racks`: each RackController as it was last, by its key. `replaced`: pod UID -> the rack that ran in it.
    `publishing` is the queue for name servers of others, which may take their time.
    """

    settings: Settings
    client: Client
    cache: Cache
    queue: Queue
    publishing: Queue
    book: EvidenceBook
    agents: aiohttp.ClientSession
    keys: dict[RegionKey, RegionKeys] = field(default_factory=dict)
    zones: dict[RegionKey, ZoneState] = field(default_factory=dict)
    repairs: dict[NameServer, Repair] = field(default_factory=dict)
    repair_limit: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(PARALLEL_REPAIRS))
    kept_zones: dict[RegionKey, tuple[Mapping[str, Any], Zone]] = field(default_factory=dict)
    external: dict[Key, ExternalSight] = field(default_factory=dict)
    links: dict[RegionKey, dict[Address, Steadiness]] = field(default_factory=dict)
    config_hashes: dict[tuple[Kind, str, str], str] = field(default_factory=dict)
    former_racks: dict[RegionKey, RackController] = field(default_factory=dict)
    replaced: dict[str, Replaced] = field(default_factory=dict)
    tally: Tally = field(default_factory=Tally)

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

        def compute() -> tuple[Subnet, ...]:
            everything, left_out = self.cache.subnets(region.meta.namespace), self.duplicates_in(region.meta.namespace)
            regions = self.cache.regions(region.meta.namespace)
            return tuple(
                s
                for s in everything
                if s.meta.key not in left_out and not s.meta.deleting and belongs_to(s.region, region, regions)
            )

        return self.cache.derive(("subnets", region.meta.key), (SUBNET, REGION), compute)

    def duplicates_in(self, namespace: str) -> Mapping[tuple[str, str], Subnet]:
        """Subnet key -> the older Subnet with the same CIDR, for each Subnet that therefore does not count."""
        return self.cache.derive(
            ("duplicates", namespace), (SUBNET,), lambda: duplicates(self.cache.subnets(namespace))
        )

    def overlaps_in(self, namespace: str) -> Mapping[tuple[str, str], list[Subnet]]:
        """Subnet key -> the Subnets that lie around it or inside it, for those that have any."""
        return self.cache.derive(
            ("overlaps", namespace), (SUBNET,), lambda: find_overlaps(self.cache.subnets(namespace))
        )

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
            regions = self.cache.regions(region.meta.namespace)
            racks = self.cache.racks(region.meta.namespace)
            self.former_racks |= {r.meta.key: r for r in racks}
            return tuple(r for r in racks if not r.meta.deleting and belongs_to(r.region, region, regions))

        return self.cache.derive(("racks", region.meta.key), (RACK, REGION), compute)

    def nodes_of(self, rack: RackController) -> list[Node]:
        """The nodes that a RackController selects: these are its racks, whether or not a pod runs there yet."""
        return [node for node, _ in self.hosts_of(rack)]

    def hosts_of(self, rack: RackController) -> list[Host]:
        """The nodes that a RackController selects, by name, each with its rack pod."""

        def compute() -> list[Host]:
            pods = self.rack_pods(rack)
            nodes = [node for node in self.cache.nodes() if node.matches(rack.pods.node_selector)]
            return [(node, pods.get(node.name)) for node in nodes]

        return self.cache.derive(("hosts", rack.meta.key), (NODE, POD, RACK), compute)

    def leaving_hosts(self, region: RegionController) -> list[tuple[Node, Pod]]:
        """The nodes of a region's rack pods that no RackController asks for any more, each with its pod."""

        def compute() -> list[tuple[Node, Pod]]:
            namespace = region.meta.namespace
            staying = {node.name for rack in self.racks_of(region) for node, pod in self.hosts_of(rack) if pod}
            found = find_leaving(region, self.cache.pods(namespace), self.cache.racks(namespace), self.cache.nodes())
            return [(node, pod) for node, pod in found if node.name not in staying]

        return self.cache.derive(("leaving", region.meta.key), (NODE, POD, RACK, REGION), compute)

    def crews_of(self, region: RegionController) -> list[Crew]:
        """The racks of a region, each node once, by the RackController that their pods are or were of."""

        def compute() -> list[Crew]:
            leaving = self.leaving_hosts(region)
            # A rack that is to follow one that leaves has no pod yet.
            busy = {node.name for node, _ in leaving}
            crews: list[Crew] = [
                (rack, [host for host in self.hosts_of(rack) if host[1] or host[0].name not in busy])
                for rack in self.racks_of(region)
            ]
            return crews + [(self._former_rack(pod), [(node, pod)]) for node, pod in leaving]

        return self.cache.derive(("crews", region.meta.key), (NODE, POD, RACK, REGION), compute)

    def _former_rack(self, pod: Pod) -> RackController:
        unknown = RackController(Meta(pod.namespace, pod.owner))
        return self.former_racks.get((pod.namespace, pod.owner), unknown)

    def hosts_in(self, region: RegionController) -> list[Host]:
        """The nodes of all racks of a region, each with its rack pod."""
        return [host for _, hosts in self.crews_of(region) for host in hosts]

    def pods_of(self, component: str, namespace: str, owner: str) -> list[Pod]:
        """The pods of a region or of a RackController, by name."""
        pods = self.cache.pods(namespace)
        return [p for p in pods if p.component == component and p.owner == owner]

    def rack_pods(self, rack: RackController) -> Mapping[str, Pod]:
        """Node name -> rack pod; a pod that stays wins over one that is being deleted."""

        def compute() -> Mapping[str, Pod]:
            pods = self.pods_of(names.COMPONENT_RACK, rack.meta.namespace, rack.meta.name)
            return {pod.node: pod for pod in sorted(pods, key=lambda p: not p.deleting) if pod.node}

        return self.cache.derive(("pods", rack.meta.key), (POD,), compute)

    def views_of(self, rack: RackController) -> list[RackView]:
        """The racks of a RackController, one a node, each with its tier now and the addresses that count."""
        now = self.now()
        return [self._view(rack, host, now) for host in self.hosts_of(rack)]

    def views_in(self, region: RegionController) -> list[RackView]:
        """Every rack of a region, one a node, with its tier now and the addresses that count."""
        now = self.now()
        return [self._view(rack, host, now) for rack, hosts in self.crews_of(region) for host in hosts]

    def _view(self, rack: RackController, host: Host, now: float) -> RackView:
        node = host[0]
        sighting = self.book.find(rack.meta.namespace, node.name)
        judgement = self.judge(rack, host, sighting, now)
        if sighting is not None:
            judgement = temper(sighting.steadiness, judgement, now)
        addresses = self.book.addresses(rack, node.name)
        known, key = self.book.known, (rack.meta.namespace, node.name)
        return RackView(node.name, addresses, judgement, known.claims(key), known.cables(key))

    def judge(self, rack: RackController, host: Host, sighting: Sighting | None, now: float) -> Judgement:
        """The tier of one rack as it looks at this moment, whatever its past."""
        node, pod = host
        asked = node.drained or node.name in rack.drained_nodes
        leaving = pod is not None and pod.deleting
        voice = self.book.voice(rack.meta.namespace, node.name, now)
        evidence = sighting.evidence(asked, leaving, voice, node.ready) if sighting and pod else Evidence(misses=0)
        return judge(evidence, now, sighting.detection if sighting else FailureDetection())

    def note_judgements(self, rack: RackController, hosts: list[Host]) -> bool:
        """Add the judgement of this moment to each rack's past; whether what to act on is another for any of them."""
        now, changed = self.now(), False
        for host in hosts:
            sighting = self.book.find(rack.meta.namespace, host[0].name)
            if sighting is None:
                continue
            judged = self.judge(rack, host, sighting, now)
            sighting.steadiness = observe(sighting.steadiness, judged, now)
            before, sighting.judgement = sighting.judgement, temper(sighting.steadiness, judged, now)
            changed = changed or sighting.judgement != before
        return changed

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

        def compute() -> list[NameServer]:
            namespace = region.meta.namespace
            racks = [
                NameServer(namespace, node.name, pod.address, names.PORT_DNS)
                for node, pod in self.hosts_in(region)
                if pod and pod.address
            ]
            return [*self.replicas_of(region), *racks]

        return self.cache.derive(("servers", region.meta.key), (NODE, POD, RACK, REGION), compute)

    def owners(self) -> Mapping[NameServer, RegionController]:
        """Every name server with its region."""

        def compute() -> Mapping[NameServer, RegionController]:
            return {server: region for region in self.live_regions() for server in self.servers_of(region)}

        return self.cache.derive("owners", (NODE, POD, RACK, REGION), compute)

    def sighting_of(self, pod: Pod) -> Sighting | None:
        """What was seen of a pod's name server and agent."""
        name = pod.node if pod.component == names.COMPONENT_RACK else pod.name
        return self.book.find(pod.namespace, name)

    def enqueue_region(self, region: RegionController) -> None:
        """Have a zone decided, and a moment later what its region and racks consist of: that computes for long."""
        self.queue.add(Key("zone", *region.meta.key))
        self.queue.add_later(Key("region", *region.meta.key), FOLLOW_S)
        for rack in self.racks_of(region):
            self.queue.add_later(Key("rack", *rack.meta.key), FOLLOW_S)

    def enqueue_namespace(self, namespace: str) -> None:
        """Have everything of a namespace reconciled."""
        for region in self.cache.regions(namespace):
            self.queue.add(Key("region", *region.meta.key))
            self.queue.add(Key("zone", *region.meta.key))
        for rack in self.cache.racks(namespace):
            self.queue.add(Key("rack", *rack.meta.key))
        for subnet in self.cache.subnets(namespace):
            self.queue.add(Key("subnet", *subnet.meta.key))
