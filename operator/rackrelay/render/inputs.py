"""What a configuration is rendered from: resources and cluster addresses, nothing that differs from node to node.

`key_rotations`: the TSIG keys that may change the zone; two of them while one replaces the other.
"""

from dataclasses import dataclass

from rackrelay.addresses import Network
from rackrelay.model.region import RegionController, RegionEndpoint
from rackrelay.model.subnet import Subnet


@dataclass(frozen=True)
class RackInputs:
    """For racks: the Subnets of the region, and where its replicas are reached (empty until there are any)."""

    region: RegionController
    subnets: tuple[Subnet, ...] = ()
    endpoints: tuple[RegionEndpoint, ...] = ()
    key_rotations: tuple[int, ...] = (1,)


@dataclass(frozen=True)
class RegionInputs:
    """For region replicas: the Subnets, and the addresses that racks come from."""

    region: RegionController
    subnets: tuple[Subnet, ...] = ()
    racks: tuple[Network, ...] = ()
    key_rotations: tuple[int, ...] = (1,)
