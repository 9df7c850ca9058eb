"""A RegionController as the operator works with it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import Field

from rackrelay.model.detection import FailureDetection
from rackrelay.model.meta import Meta
from rackrelay.model.parsing import Parsed, Reference, SpecModel, read_spec
from rackrelay.model.pods import PodSettings, PodsSpec


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


class DNSSpec(SpecModel):
    """`spec.dns`."""

    forwarders: list[str] = []
    dnssec_validation: Literal["Auto", "Enabled", "Disabled"] = "Auto"


class HTTPSpec(SpecModel):
    """`spec.http`."""

    port: int = Field(default=5240, ge=1, le=65535)


class TSIGSpec(SpecModel):
    """`spec.tsig`."""

    rotation: int = Field(default=1, ge=1, le=1_000_000)


class FailureDetectionSpec(SpecModel):
    """`spec.failureDetection`."""

    interval_milliseconds: int = Field(default=250, ge=100, le=5000)
    misses: int = Field(default=3, ge=2, le=10)


class ExternalDNSSpec(SpecModel):
    """`spec.external.dns`."""

    addresses: list[str]
    primaries: list[str] | None = None
    port: int = Field(default=53, ge=1, le=65535)
    tsig_secret_ref: Reference


class ExternalSpec(SpecModel):
    """`spec.external`."""

    dns: ExternalDNSSpec | None = None


class RegionSpec(SpecModel):
    """`spec` as it is written."""

    replicas: int = Field(default=3, ge=1, le=9)
    domain: str = "maas-internal"
    ttl_seconds: int = Field(default=15, ge=1, le=300)
    dns: DNSSpec = DNSSpec()
    http: HTTPSpec = HTTPSpec()
    tsig: TSIGSpec = TSIGSpec()
    failure_detection: FailureDetectionSpec = FailureDetectionSpec()
    external: ExternalSpec = ExternalSpec()
    pods: PodsSpec = PodsSpec()


def parse_region(body: Mapping[str, Any]) -> Parsed[RegionController]:
    """A RegionController from the object that the API server stores."""
    parsed = read_spec(RegionSpec, body.get("spec", {}))
    spec = parsed.value
    if spec is None:
        return Parsed(None, parsed.problem)
    detection = spec.failure_detection
    region = RegionController(
        meta=Meta.parse(body),
        replicas=spec.replicas,
        domain=spec.domain,
        ttl_s=spec.ttl_seconds,
        forwarders=tuple(spec.dns.forwarders),
        dnssec_validation=spec.dns.dnssec_validation,
        http_port=spec.http.port,
        tsig_rotation=spec.tsig.rotation,
        detection=FailureDetection(detection.interval_milliseconds / 1000, detection.misses),
        pods=spec.pods.settings(),
        external_dns=_external_dns(spec.external.dns),
    )
    return Parsed(region, parsed.problem)


def _external_dns(spec: ExternalDNSSpec | None) -> ExternalDNS | None:
    if spec is None:
        return None
    addresses = tuple(spec.addresses)
    primaries = addresses if spec.primaries is None else tuple(spec.primaries)
    return ExternalDNS(addresses, primaries, spec.tsig_secret_ref.name, spec.port)
