"""What all controllers share: what the operator knows, what it remembers, and its connections."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from rackrelay.addresses import Address
from rackrelay.cluster.cache import Cache
from rackrelay.cluster.client import Client, Kind
from rackrelay.controllers.health.book import EvidenceBook
from rackrelay.controllers.queue import Queue
from rackrelay.controllers.state.inventory import Inventory
from rackrelay.controllers.state.memory import ExternalState, RegionKey, RegionKeys, Repair, Replaced, ZoneState
from rackrelay.controllers.state.tally import Tally
from rackrelay.controllers.work import Key
from rackrelay.manifests.containers import Image
from rackrelay.model.meta import Meta
from rackrelay.model.region import RegionController
from rackrelay.nameservers.server import NameServer
from rackrelay.process.settings import Settings
from rackrelay.zone.damping import DampingState
from rackrelay.zone.decision import Decision
from rackrelay.zone.plan import Zone

# Each holds a zone and computes for most of its time.
PARALLEL_REPAIRS = 4


@dataclass
class Context:
    """One running operator. `stored_zones`: each region's zone ConfigMap with the Zone that was read from it.

    `decisions`: each region's last one, from which the next begins; its zone may not have been published.
    `replaced`: pod UID -> the rack that ran in it. `publishing` is the queue for name servers of others, which may take
    their time. `inventory` is made from the cache.
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
    stored_zones: dict[RegionKey, tuple[Mapping[str, Any], Zone]] = field(default_factory=dict)
    external: dict[Key, ExternalState] = field(default_factory=dict)
    decisions: dict[RegionKey, Decision] = field(default_factory=dict)
    links: dict[RegionKey, dict[Address, DampingState]] = field(default_factory=dict)
    config_hashes: dict[tuple[Kind, str, str], str] = field(default_factory=dict)
    replaced: dict[str, Replaced] = field(default_factory=dict)
    tally: Tally = field(default_factory=Tally)
    inventory: Inventory = field(init=False)

    def __post_init__(self) -> None:
        self.inventory = Inventory(self.cache, self.settings.region_namespaces)

    @property
    def image(self) -> Image:
        """What region and rack pods run unless a resource says otherwise."""
        return Image(self.settings.dataplane_image, self.settings.dataplane_pull_policy)

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
