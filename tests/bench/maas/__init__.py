"""What MAAS sets, as data with the source of each line, so that its daemons can be run as it runs them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml


@dataclass(frozen=True)
class Dns:
    """BIND as MAAS configures it. Statements may hold @REGIONS@, @TRUSTED@ and @KEY@."""

    version: str
    ttl_s: int
    region_options: tuple[str, ...]
    region_zone: tuple[str, ...]
    rack_options: tuple[str, ...]


def read_dns() -> Dns:
    """The settings in dns.yaml."""
    data = yaml.safe_load((Path(__file__).parent / "dns.yaml").read_text())
    region, rack = data["region"], data["rack"]
    return Dns(
        version=data["version"],
        ttl_s=int(data["zone_ttl_s"]["value"]),
        region_options=_statements(region["options"]),
        region_zone=_statements(region["zone"]),
        rack_options=_statements(rack["options"]),
    )


def _statements(entries: list[dict[str, Any]]) -> tuple[str, ...]:
    """Entries with a source only: a setting that nobody can look up is not MAAS's."""
    for entry in entries:
        if not entry.get("source"):
            raise ValueError(f"{entry['statement']}: has no source")
    return tuple(entry["statement"] for entry in entries)
