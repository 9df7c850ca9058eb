"""Services: one per region replica, so that racks choose among replicas themselves and notice one that hangs."""

from rackrelay import names
from rackrelay.manifests.meta import owned, region_labels
from rackrelay.model.meta import Manifest
from rackrelay.model.region import RegionController

POD_NAME_LABEL = "statefulset.kubernetes.io/pod-name"


def build_region_services(region: RegionController) -> list[Manifest]:
    """One ClusterIP Service for each replica, in the order of their ordinals."""
    return [_build(region, ordinal) for ordinal in range(region.replicas)]


def _build(region: RegionController, ordinal: int) -> Manifest:
    name = names.region_replica(region.meta.name, ordinal)
    labels = region_labels(region.meta.name)
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": owned("RegionController", region.meta, name, labels),
        "spec": {
            "type": "ClusterIP",
            "selector": {**labels, POD_NAME_LABEL: name},
            "ports": [
                _port("dns", names.PORT_REGION_DNS, "UDP"),
                _port("dns-tcp", names.PORT_REGION_DNS, "TCP"),
                _port("http", region.http_port, "TCP"),
                _port("proxy", names.PORT_REGION_PROXY, "TCP"),
                _port("syslog", names.PORT_REGION_SYSLOG, "TCP"),
                _port("heartbeat", names.port_heartbeat(ordinal), "TCP"),
            ],
        },
    }


def _port(name: str, port: int, protocol: str) -> Manifest:
    return {"name": name, "port": port, "targetPort": port, "protocol": protocol}
