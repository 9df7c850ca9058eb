"""A Subnet as the operator works with it."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pydantic import Field
from pydantic.networks import IPvAnyNetwork

from rackrelay.addresses import Network
from rackrelay.model.meta import Meta
from rackrelay.model.parsing import Parsed, Reference, SpecModel, read_spec


@dataclass(frozen=True)
class Subnet:
    """One provisioning network. `dns_servers` are IP addresses as text; `region` is None when the spec names none.

    `served_by`: the name of the Subnet whose racks serve this one too; None for one whose racks have an address in it.
    """

    meta: Meta
    cidr: Network
    region: str | None = None
    managed: bool = True
    allow_dns: bool = True
    allow_proxy: bool = True
    dns_servers: tuple[str, ...] = ()
    served_by: str | None = None

    @cached_property
    def span(self) -> tuple[int, int, int]:
        """IP version, first and last address: thousands of networks are compared by these for each change of one."""
        return self.cidr.version, int(self.cidr.network_address), int(self.cidr.broadcast_address)

    @property
    def machines_use_names(self) -> bool:
        """Whether machines can look up rackrelay's names: the one predicate behind every client setting."""
        return self.managed and self.allow_dns and not self.dns_servers


class SubnetSpec(SpecModel):
    """`spec` as it is written."""

    cidr: IPvAnyNetwork
    region_ref: Reference | None = None
    managed: bool = True
    allow_dns: bool = Field(default=True, alias="allowDNS")
    allow_proxy: bool = True
    dns_servers: list[str] = []
    served_by: str | None = None


def parse_subnet(body: Mapping[str, Any]) -> Parsed[Subnet]:
    """A Subnet from the object that the API server stores; none without a network."""
    parsed = read_spec(SubnetSpec, body.get("spec", {}))
    spec = parsed.value
    if spec is None:
        return Parsed(None, parsed.problem)
    subnet = Subnet(
        meta=Meta.parse(body),
        cidr=spec.cidr,
        region=spec.region_ref.name if spec.region_ref else None,
        managed=spec.managed,
        allow_dns=spec.allow_dns,
        allow_proxy=spec.allow_proxy,
        dns_servers=tuple(spec.dns_servers),
        served_by=spec.served_by,
    )
    return Parsed(subnet, parsed.problem)
