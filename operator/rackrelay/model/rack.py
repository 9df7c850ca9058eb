"""A RackController as the operator works with it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic.networks import IPvAnyNetwork

from rackrelay.addresses import Network
from rackrelay.model.meta import Meta
from rackrelay.model.parsing import Parsed, Reference, SpecModel, read_spec
from rackrelay.model.pods import PodSettings, PodsSpec


@dataclass(frozen=True)
class RackController:
    """The racks on the nodes that `pods.node_selector` selects. `region` is None when the spec names none."""

    meta: Meta
    region: str | None = None
    include: tuple[Network, ...] = ()
    exclude: tuple[Network, ...] = ()
    drained_nodes: frozenset[str] = frozenset()
    pods: PodSettings = field(default_factory=PodSettings)


class AddressesSpec(SpecModel):
    """`spec.addresses`."""

    include: list[IPvAnyNetwork] = []
    exclude: list[IPvAnyNetwork] = []


class RackSpec(SpecModel):
    """`spec` as it is written."""

    region_ref: Reference | None = None
    addresses: AddressesSpec = AddressesSpec()
    drained_nodes: list[str] = []
    pods: PodsSpec = PodsSpec()


def parse_rack(body: Mapping[str, Any]) -> Parsed[RackController]:
    """A RackController from the object that the API server stores."""
    parsed = read_spec(RackSpec, body.get("spec", {}))
    spec = parsed.value
    if spec is None:
        return Parsed(None, parsed.problem)
    rack = RackController(
        meta=Meta.parse(body),
        region=spec.region_ref.name if spec.region_ref else None,
        include=tuple(spec.addresses.include),
        exclude=tuple(spec.addresses.exclude),
        drained_nodes=frozenset(spec.drained_nodes),
        pods=spec.pods.settings(),
    )
    return Parsed(rack, parsed.problem)
