"""When each daemon is asked: every check in a loop of its own, so that a daemon that hangs delays no other's.

The pace is the region's failureDetection. Only named is asked as often as that says: its answer is one datagram.
"""

import asyncio
import math
from dataclasses import dataclass
from ipaddress import ip_address

from rackrelay.agent.checks.askers import ask_daemon
from rackrelay.agent.checks.result import CheckResult, Pod
from rackrelay.agent.loops import Agent
from rackrelay.daemons.daemon import Check
from rackrelay.protocol.agent_config import AgentConfig

# One failed request may have met a reload or a busy moment.
FEWEST_MISSES = 2
LONGEST_TIMEOUT_S = 2.0
IDLE_S = 0.1


def interval_s(check: Check, config: AgentConfig) -> float:
    """From the beginning of one request to that of the next."""
    return max(check.floor_s, config.heartbeat_s)


def timeout_s(check: Check, config: AgentConfig) -> float:
    """How long one may take: not beyond the next one's turn."""
    return min(interval_s(check, config), LONGEST_TIMEOUT_S)


def misses(check: Check, config: AgentConfig) -> int:
    """How many failures in a row count: as many as fill the time for which somebody may be silent."""
    patience_s = config.heartbeat_s * config.misses
    return max(FEWEST_MISSES, math.ceil(round(patience_s / interval_s(check, config), 6)))


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
        self._next = begun + interval_s(self.check, config)
        pod = self._pod(config)
        result = await ask_daemon(self.check.request, pod)
        if is_fair(result, clock() - begun, pod.timeout_s):
            self.agent.state.learn(self.check.name, result, misses(self.check, config))

    def pause_s(self) -> float:
        """Seconds until the next turn."""
        return max(0.0, self._next - asyncio.get_running_loop().time())

    def _pod(self, config: AgentConfig) -> Pod:
        state = self.agent.state
        reached = state.regions_asked and 0 < state.regions_known == state.regions_reachable
        addresses = tuple(
            a.address for a in state.addresses or () if any(ip_address(a.address) in net for net in config.subnets)
        )
        return Pod(config, self.agent.values.node_ip, timeout_s(self.check, config), addresses, reached)


def is_fair(result: CheckResult, took_s: float, timeout_s: float) -> bool:
    """Whether it counts: not a failure found by an agent that was itself too busy to look for the answer in time."""
    return not result.failing or took_s <= 1.5 * timeout_s
