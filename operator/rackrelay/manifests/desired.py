"""The objects that a region and its racks should consist of. Pure: everything it needs is an argument."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import ip_network

from rackrelay import names
from rackrelay.addresses import Network
from rackrelay.daemons.table import files_read_at_start
from rackrelay.manifests.configmaps import build_rack_config, build_region_config
from rackrelay.manifests.containers import Image
from rackrelay.manifests.pods import build_rack_workload, build_region_workload
from rackrelay.manifests.services import build_region_services
from rackrelay.model.meta import Manifest
from rackrelay.model.observed import Node
from rackrelay.model.rack import RackController
from rackrelay.model.region import RegionController, RegionEndpoint
from rackrelay.protocol.digest import config_digest, digest
from rackrelay.render.inputs import RackInputs, RegionInputs
from rackrelay.render.rack import render_rack
from rackrelay.render.region import render_region


@dataclass(frozen=True)
class Desired:
    """Objects in the order in which to apply them, and the digest of the configuration among them."""

    objects: tuple[Manifest, ...]
    config_hash: str


def desire_region(inputs: RegionInputs, image: Image) -> Desired:
    """A region's Services, configuration and pods."""
    region, data = inputs.region, render_region(inputs)
    objects = (
        *build_region_services(region),
        build_region_config(region, data),
        build_region_workload(region, image, _restart_digest(data)),
    )
    return Desired(objects, config_digest(data))


def desire_rack(rack: RackController, inputs: RackInputs, image: Image) -> Desired:
    """The configuration and pods of a RackController's racks."""
    data = render_rack(inputs)
    workload = build_rack_workload(rack, inputs.region, image, _restart_digest(data))
    return Desired((build_rack_config(rack, data), workload), config_digest(data))


def find_endpoints(region: RegionController, services: Iterable[Manifest]) -> tuple[RegionEndpoint, ...]:
    """The replicas that have a cluster address, by ordinal."""
    addresses = {s["metadata"]["name"]: s["spec"].get("clusterIP", "") for s in services}
    found = []
    for ordinal in range(region.replicas):
        name = names.region_replica(region.meta.name, ordinal)
        if addresses.get(name) not in (None, "", "None"):
            found.append(RegionEndpoint(ordinal, name, addresses[name]))
    return tuple(found)


def rack_networks(
    racks: Iterable[RackController], nodes: Iterable[Node], leaving: Iterable[Node] = ()
) -> tuple[Network, ...]:
    """Where connections of racks to a region come from: their nodes' addresses.

    Pod networks of these nodes count as well: overlay networks send what a node sends to a pod from the node's
    own address in its pod network. `leaving`: nodes whose rack stops soon and serves until then.
    """
    selectors = [rack.pods.node_selector for rack in racks]
    chosen = [node for node in nodes if any(node.matches(selector) for selector in selectors)]
    found = {ip_network(text) for node in (*chosen, *leaving) for text in (*node.addresses, *node.pod_cidrs)}
    return tuple(sorted(found, key=lambda n: (n.version, n)))


def _restart_digest(data: Mapping[str, str]) -> str:
    return digest([data.get(name, "") for name in files_read_at_start()])
