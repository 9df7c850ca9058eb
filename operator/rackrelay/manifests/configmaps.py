"""ConfigMaps: the daemons' configuration and the published zone."""

from collections.abc import Mapping

from rackrelay import names
from rackrelay.manifests.meta import owned, rack_labels, region_labels, unowned
from rackrelay.model.meta import Manifest
from rackrelay.model.rack import RackController
from rackrelay.model.region import RegionController
from rackrelay.zone.plan import Zone
from rackrelay.zone.storage import zone_fields


def build_region_config(region: RegionController, data: Mapping[str, str]) -> Manifest:
    """The configuration that all replicas of a region mount."""
    name = names.region_config(region.meta.name)
    metadata = owned("RegionController", region.meta, name, region_labels(region.meta.name))
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": dict(data)}


def build_rack_config(rack: RackController, data: Mapping[str, str]) -> Manifest:
    """The configuration that all racks of a RackController mount."""
    name = names.rack_workload(rack.meta.name)
    metadata = owned("RackController", rack.meta, name, rack_labels(rack.meta.name))
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": dict(data)}


def build_zone_config(namespace: str, region: str, zone: Zone, resource_version: str | None) -> Manifest:
    """The durable copy of the zone. With a resourceVersion the write fails if somebody else wrote since it was read.

    Raises:
        TooLarge: no ConfigMap can hold it.
    """
    metadata = unowned(namespace, names.zone_config(region), region_labels(region))
    if resource_version is not None:
        metadata["resourceVersion"] = resource_version
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, **zone_fields(zone)}
