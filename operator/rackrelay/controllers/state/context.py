"""What all controllers share: what the operator knows, what it remembers, and its connections."""

import time
from collections import defaultdict
from dataclasses import dataclass, field

import aiohttp

from rackrelay.cluster.cache import Cache
from rackrelay.cluster.client import Client, Kind
from rackrelay.controllers.health.rack_health import RackHealth
from rackrelay.controllers.queue import Queue
from rackrelay.controllers.state.inventory import Inventory
from rackrelay.controllers.state.region_state import RegionKey, RegionState
from rackrelay.controllers.state.tally import Tally
from rackrelay.controllers.watched import Kinds
from rackrelay.manifests.containers import Image
from rackrelay.model.meta import Meta
from rackrelay.model.region import RegionController
from rackrelay.process.settings import Settings


@dataclass
class Context:
    """One running operator. `regions`: what it remembers of each; asking for one that is new begins its record.

    `inventory` is made from the cache.
    """

    settings: Settings
    client: Client
    cache: Cache
    queue: Queue
    health: RackHealth
    agents: aiohttp.ClientSession
    kinds: Kinds
    regions: defaultdict[RegionKey, RegionState] = field(default_factory=lambda: defaultdict(RegionState))
    tally: Tally = field(default_factory=Tally)
    inventory: Inventory = field(init=False)

    def __post_init__(self) -> None:
        self.inventory = Inventory(self.cache, self.settings.region_namespaces)

    @property
    def image(self) -> Image:
        """What region and rack pods run unless a resource says otherwise."""
        return Image(self.settings.dataplane_image, self.settings.dataplane_pull_policy)

    def forget_region(self, key: RegionKey) -> None:
        """A region is gone; one of the same name that is made later begins anew."""
        self.regions.pop(key, None)
        self.health.forget_region(key)

    def now(self) -> float:
        """Monotonic seconds."""
        return time.monotonic()

    def is_decided(self, region: RegionController) -> bool:
        """Whether the region's zone has been decided since this operator started.

        Until then a status that an operator before it wrote says more than this one knows, and stays.
        """
        return self.regions[region.meta.key].zone is not None

    def has_status(self, kind: Kind, meta: Meta) -> bool:
        """Whether an operator has written a resource's status before; the definition's default is generation -1."""
        return bool(self.cache.status(kind, meta.key).get("observedGeneration", -1) > 0)
