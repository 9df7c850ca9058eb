"""A Subnet as the operator works with it."""

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Any

from rackrelay.addresses import Network
from rackrelay.model.meta import Meta


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

    @property
    def machines_use_names(self) -> bool:
        """Whether machines can look up rackrelay's names: the one predicate behind every client setting."""
        return self.managed and self.allow_dns and not self.dns_servers


def parse_subnet(body: Mapping[str, Any]) -> Subnet:
    """Subnet from an object that the API server has validated and defaulted."""
    spec = body.get("spec", {})
    return Subnet(
        meta=Meta.parse(body),
        cidr=ip_network(spec["cidr"]),
        region=spec.get("regionRef", {}).get("name"),
        managed=spec.get("managed", True),
        allow_dns=spec.get("allowDNS", True),
        allow_proxy=spec.get("allowProxy", True),
        dns_servers=tuple(spec.get("dnsServers", ())),
        served_by=spec.get("servedBy"),
    )
