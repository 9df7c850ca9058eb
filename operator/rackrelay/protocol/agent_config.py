"""agent.json: what the operator tells the agent of a pod. The operator renders it, the agent reads it when mounted."""

import json
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Any, Literal

from rackrelay.addresses import Network
from rackrelay.protocol import versions


@dataclass(frozen=True)
class AgentConfig:
    """What this pod runs and whom it must reach. `regions` are addresses as text.

    `heartbeats` are the address and port of each replica that wants to hear this rack, `heartbeat_s` how often;
    after `misses` in a row that did not come somebody is silent. `subnets` are those whose names the zone has.
    """

    kind: Literal["rack", "region"]
    domain: str
    ttl_s: int
    daemons: tuple[str, ...]
    dns_port: int
    regions: tuple[str, ...]
    http_port: int
    heartbeats: tuple[tuple[str, int], ...] = ()
    heartbeat_s: float = 0.25
    misses: int = 3
    subnets: tuple[Network, ...] = ()

    @property
    def is_rack(self) -> bool:
        """Whether this is a rack's pod, which machines use."""
        return self.kind == "rack"


def write_agent_config(config: AgentConfig) -> str:
    """The text of agent.json."""
    document: dict[str, Any] = {
        versions.FIELD: versions.WRITTEN,
        "kind": config.kind,
        "domain": config.domain,
        "ttlSeconds": config.ttl_s,
        "daemons": list(config.daemons),
        "dnsPort": config.dns_port,
        "regions": list(config.regions),
        "httpPort": config.http_port,
        "heartbeatMilliseconds": round(config.heartbeat_s * 1000),
        "heartbeatMisses": config.misses,
    }
    if config.is_rack:
        # Where racks have addresses of their own, and ask each other.
        document["subnets"] = [str(network) for network in config.subnets]
        document["heartbeats"] = [list(target) for target in config.heartbeats]
    return json.dumps(document, indent=2, sort_keys=True) + "\n"


def parse_agent_config(text: str) -> AgentConfig:
    """What agent.json says.

    Raises:
        KeyError, TypeError, ValueError: not a document that an operator of this or a neighbouring release wrote.
    """
    document: dict[str, Any] = json.loads(text)
    versions.check_version(document, "agent.json")
    return AgentConfig(
        kind=document["kind"],
        domain=document["domain"],
        ttl_s=int(document["ttlSeconds"]),
        daemons=tuple(document["daemons"]),
        dns_port=int(document["dnsPort"]),
        regions=tuple(str(ip_address(address)) for address in document["regions"]),
        http_port=int(document["httpPort"]),
        heartbeats=tuple((str(ip_address(host)), int(port)) for host, port in document.get("heartbeats", ())),
        heartbeat_s=int(document.get("heartbeatMilliseconds", 250)) / 1000,
        misses=int(document.get("heartbeatMisses", 3)),
        subnets=tuple(ip_network(cidr) for cidr in document.get("subnets", ())),
    )
