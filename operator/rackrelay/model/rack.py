"""A RackController as the operator works with it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_network
from typing import Any

from rackrelay.addresses import Network
from rackrelay.model.meta import Meta
from rackrelay.model.pods import PodSettings


@dataclass(frozen=True)
class RackController:
    """The racks on the nodes that `pods.node_selector` selects. `region` is None when the spec names none."""

    meta: Meta
    region: str | None = None
    include: tuple[Network, ...] = ()
    exclude: tuple[Network, ...] = ()
    drained_nodes: frozenset[str] = frozenset()
    pods: PodSettings = field(default_factory=PodSettings)


def parse_rack(body: Mapping[str, Any]) -> RackController:
    """RackController from an object that the API server has validated and defaulted."""
    spec = body.get("spec", {})
    addresses = spec.get("addresses", {})
    return RackController(
        meta=Meta.parse(body),
        region=spec.get("regionRef", {}).get("name"),
        include=tuple(ip_network(c) for c in addresses.get("include", ())),
        exclude=tuple(ip_network(c) for c in addresses.get("exclude", ())),
        drained_nodes=frozenset(spec.get("drainedNodes", ())),
        pods=PodSettings.parse(spec.get("pods", {})),
    )
