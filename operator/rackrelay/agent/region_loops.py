"""What only a region's agent does: hear racks, and tell the operator which."""

import asyncio
import secrets
from dataclasses import dataclass
from functools import partial

from rackrelay import names
from rackrelay.agent.files import read_agent_key
from rackrelay.agent.loops import Agent
from rackrelay.agent.sessions.heard import HeardRacks
from rackrelay.agent.sessions.listener import Listener
from rackrelay.agent.settings import read_ordinal
from rackrelay.protocol.agent_config import AgentConfig

LISTEN_INTERVAL_S = 0.2
SWEEP_INTERVAL_S = 0.05


@dataclass
class RegionLoops:
    """All of it idles while this pod is not state to be a region's."""

    agent: Agent
    heard: HeardRacks
    listener: Listener

    @classmethod
    def of(cls, agent: Agent) -> "RegionLoops":
        """The loops of one agent."""
        heard = HeardRacks(secrets.token_hex(8))
        listener = Listener(
            heard,
            partial(read_agent_key, agent.paths.agent_key),
            lambda: agent.state.serial,
            asyncio.get_running_loop().time,
        )
        return cls(agent, heard, listener)

    async def listen(self) -> None:
        """Hear racks on this replica's port until cancelled.

        Raises:
            OSError: the address cannot be listened on yet.
            ValueError: this pod is no replica.
        """
        if self._config() is not None:
            port = names.port_heartbeat(read_ordinal(self.agent.values.pod_name))
            await self.listener.serve(self.agent.values.node_ip, port)

    async def sweep(self) -> None:
        """Notice who went silent."""
        config = self._config()
        if config is not None:
            self.heard.sweep(asyncio.get_running_loop().time(), config.heartbeat_s, config.misses)

    async def look_after(self) -> None:
        """Close sessions that are of no use."""
        await self.listener.look_after()

    def _config(self) -> AgentConfig | None:
        config = self.agent.config
        return config if config is not None and not config.is_rack else None
