"""A RegionController as the operator works with it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rackrelay.model.detection import FailureDetection
from rackrelay.model.meta import Meta
from rackrelay.model.pods import PodSettings


@dataclass(frozen=True)
class ExternalDNS:
    """Name servers that rackrelay does not run: racks forward to them, and the zone is published there as well.

    `addresses` to ask and `primaries` to publish at are IP addresses as text; `tsig_secret` names the Secret with the
    key by which primaries take UPDATEs.
    """

    addresses: tuple[str, ...]
    primaries: tuple[str, ...]
    tsig_secret: str
    port: int = 53


@dataclass(frozen=True)
class RegionController:
    """One region: its domain and the replicas that serve it. `forwarders` are IP addresses as text."""

    meta: Meta
    replicas: int = 3
    domain: str = "maas-internal"
    ttl_s: int = 15
    forwarders: tuple[str, ...] = ()
    dnssec_validation: str = "Auto"
    http_port: int = 5240
    tsig_rotation: int = 1
    detection: FailureDetection = field(default_factory=FailureDetection)
    pods: PodSettings = field(default_factory=PodSettings)
    external_dns: ExternalDNS | None = None


@dataclass(frozen=True)
class RegionEndpoint:
    """Where racks reach one region replica: the cluster address of its Service."""

    ordinal: int
    name: str
    address: str


def parse_region(body: Mapping[str, Any]) -> RegionController:
    """RegionController from an object that the API server has validated and defaulted."""
    spec = body.get("spec", {})
    dns = spec.get("dns", {})
    return RegionController(
        meta=Meta.parse(body),
        replicas=spec.get("replicas", 3),
        domain=spec.get("domain", "maas-internal"),
        ttl_s=spec.get("ttlSeconds", 15),
        forwarders=tuple(dns.get("forwarders", ())),
        dnssec_validation=dns.get("dnssecValidation", "Auto"),
        http_port=spec.get("http", {}).get("port", 5240),
        tsig_rotation=spec.get("tsig", {}).get("rotation", 1),
        detection=_parse_detection(spec.get("failureDetection", {})),
        pods=PodSettings.parse(spec.get("pods", {})),
        external_dns=_parse_external_dns(spec.get("external", {}).get("dns")),
    )


def _parse_detection(spec: Mapping[str, Any]) -> FailureDetection:
    return FailureDetection(interval_s=spec.get("intervalMilliseconds", 250) / 1000, misses=spec.get("misses", 3))


def _parse_external_dns(spec: Mapping[str, Any] | None) -> ExternalDNS | None:
    if spec is None:
        return None
    addresses = tuple(spec["addresses"])
    primaries = tuple(spec.get("primaries", addresses))
    return ExternalDNS(addresses, primaries, spec["tsigSecretRef"]["name"], spec.get("port", 53))
