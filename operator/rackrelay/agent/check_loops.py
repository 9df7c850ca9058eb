"""When each daemon is asked: every check in a loop of its own, so that a daemon that hangs delays no other's.

The pace is the region's failureDetection. Only named is asked as often as that says: its answer is one datagram.
"""

import asyncio
import math
from dataclasses import dataclass
from ipaddress import ip_address

from rackrelay.agent.checks import daemons as health
from rackrelay.agent.checks.daemons import CheckResult, Pod, Probe
from rackrelay.agent.loops import Agent
from rackrelay.protocol.agent_config import AgentConfig

# One failed request may have met a reload or a busy moment.
FEWEST_MISSES = 2
LONGEST_TIMEOUT_S = 2.0
CONNECTION_FLOOR_S = 0.5
# named answers this question three times a second at most, whoever asks.
VERSION_FLOOR_S = 1.0
# What goes through to a region: a thousand racks ask it two hundred times a second.
RELAY_FLOOR_S = 5.0
DISK_FLOOR_S = 1.0
IDLE_S = 0.1


@dataclass(frozen=True)
class Check:
    """One kind of request. `name` begins with the daemon whose fault its failure is; `floor_s` is its fastest pace."""

    name: str
    probe: Probe
    floor_s: float = CONNECTION_FLOOR_S

    @property
    def daemon(self) -> str:
        """Whose fault it is."""
        return self.name.partition(" ")[0]

    def interval_s(self, config: AgentConfig) -> float:
        """From the beginning of one request to that of the next."""
        return max(self.floor_s, config.heartbeat_s)

    def timeout_s(self, config: AgentConfig) -> float:
        """How long one may take: not beyond the next one's turn."""
        return min(self.interval_s(config), LONGEST_TIMEOUT_S)

    def misses(self, config: AgentConfig) -> int:
        """How many failures in a row count: as many as fill the time for which somebody may be silent."""
        patience_s = config.heartbeat_s * config.misses
        return max(FEWEST_MISSES, math.ceil(round(patience_s / self.interval_s(config), 6)))


CHECKS = (
    Check("metadata", health.probe_metadata),
    Check("named", health.probe_named, floor_s=0.0),
    Check("named addresses", health.probe_named_addresses),
    Check("named disk", health.probe_disk, floor_s=DISK_FLOOR_S),
    Check("named version", health.probe_named_version, floor_s=VERSION_FLOOR_S),
    Check("nginx", health.probe_nginx),
    Check("nginx ports", health.probe_nginx_ports),
    Check("nginx relay", health.probe_nginx_relay, floor_s=RELAY_FLOOR_S),
    Check("rsyslogd", health.probe_rsyslogd),
    Check("squid", health.probe_squid),
)


@dataclass
class CheckLoop:
    """One check of one agent, again and again."""

    agent: Agent
    check: Check
    _next: float = 0.0

    async def step(self) -> None:
        """Ask once, and take in what that showed."""
        config, clock = self.agent.config, asyncio.get_running_loop().time
        begun = clock()
        if config is None or self.check.daemon not in config.daemons:
            self._next = begun + IDLE_S
            return
        interval_s = self.check.interval_s(config)
        self._next = begun + interval_s
        pod = self._pod(config)
        result = await health.ask_daemon(self.check.probe, pod)
        if is_fair(result, clock() - begun, pod.timeout_s):
            self.agent.state.learn(self.check.name, result, self.check.misses(config))

    def pause_s(self) -> float:
        """Seconds until the next turn."""
        return max(0.0, self._next - asyncio.get_running_loop().time())

    def _pod(self, config: AgentConfig) -> Pod:
        state = self.agent.state
        reached = state.regions_asked and 0 < state.regions_known == state.regions_reachable
        addresses = tuple(
            a.address for a in state.addresses or () if any(ip_address(a.address) in net for net in config.subnets)
        )
        return Pod(config, self.agent.values.node_ip, self.check.timeout_s(config), addresses, reached)


def is_fair(result: CheckResult, took_s: float, timeout_s: float) -> bool:
    """Whether it counts: not a failure found by an agent that was itself too busy to look for the answer in time."""
    return not result.failing or took_s <= 1.5 * timeout_s
