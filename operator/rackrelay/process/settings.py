"""What the operator is told by its environment, parsed once at start."""

from collections.abc import Mapping
from dataclasses import dataclass

from rackrelay.errors import InvalidSpec

LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")


@dataclass(frozen=True)
class Settings:
    """The operator's own settings; what users decide per region is in the custom resources.

    `metrics_port`: where Prometheus asks; None for nowhere. `lease_namespace`: where the replicas' Lease is; empty for
    an operator that runs alone, outside of a cluster say.
    """

    dataplane_image: str
    region_namespaces: tuple[str, ...]
    dataplane_pull_policy: str = "IfNotPresent"
    log_level: str = "INFO"
    health_port: int = 8080
    metrics_port: int | None = None
    lease_namespace: str = ""
    lease_name: str = "rackrelay"
    status_interval_s: float = 1.0
    resync_interval_s: float = 300.0


def parse_settings(environ: Mapping[str, str]) -> Settings:
    """Settings from environment variables.

    Raises:
        InvalidSpec: a variable cannot work as it is, or one that has no sensible default is missing.
    """
    namespaces = tuple(sorted(n.strip() for n in environ.get("REGION_NAMESPACES", "").split(",") if n.strip()))
    if not namespaces:
        raise InvalidSpec("REGION_NAMESPACES", "set it to the namespaces, comma separated, that hold regions")
    image = environ.get("DATAPLANE_IMAGE", "")
    if not image:
        raise InvalidSpec("DATAPLANE_IMAGE", "set it to the image that region and rack pods run")
    return Settings(
        dataplane_image=image,
        region_namespaces=namespaces,
        dataplane_pull_policy=environ.get("DATAPLANE_PULL_POLICY", "IfNotPresent"),
        log_level=_level(environ.get("LOG_LEVEL", "INFO")),
        health_port=_port("HEALTH_PORT", environ.get("HEALTH_PORT", "8080")),
        metrics_port=_port("METRICS_PORT", environ["METRICS_PORT"]) if environ.get("METRICS_PORT") else None,
        lease_namespace=environ.get("LEASE_NAMESPACE", ""),
        lease_name=environ.get("LEASE_NAME", "rackrelay"),
    )


def _level(text: str) -> str:
    if text.upper() not in LOG_LEVELS:
        raise InvalidSpec("LOG_LEVEL", f"{text} is none of {', '.join(LOG_LEVELS)}")
    return text.upper()


def _port(name: str, text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise InvalidSpec(name, f"{text} is not a port")
    return int(text)
