"""What only a rack's agent does: beat to the regions, ask other racks, pull a zone that nobody brings."""

import asyncio
import json
from dataclasses import dataclass, field
from functools import partial

import dns.exception

from rackrelay.agent import status
from rackrelay.agent.checks.peering import Peering
from rackrelay.agent.files import read_agent_key
from rackrelay.agent.loops import Agent, log
from rackrelay.agent.sessions import pull
from rackrelay.agent.sessions.heartbeat import Heartbeat, Sessions, Target
from rackrelay.agent.sessions.pull import Lag
from rackrelay.protocol.agent_config import AgentConfig
from rackrelay.protocol.status_document import build_status_document

BEAT_INTERVAL_S = 0.1
LIST_INTERVAL_S = 1.0


@dataclass
class RackLoops:
    """All of it idles while this pod is not state to be a rack's."""

    agent: Agent
    heartbeat: Heartbeat
    sessions: Sessions
    peering: Peering
    _lag: Lag = field(default_factory=Lag)
    _said: str = ""

    @classmethod
    def of(cls, agent: Agent) -> "RackLoops":
        """The loops of one agent."""
        heartbeat = Heartbeat(agent.values.node_name, partial(read_agent_key, agent.paths.agent_key))
        return cls(agent, heartbeat, Sessions(heartbeat, log), Peering(asyncio.get_running_loop().time))

    async def beat(self) -> None:
        """Keep up to date what the sessions say, and to whom."""
        config = self._config()
        if config is not None:
            self.heartbeat.interval_s = config.heartbeat_s
            self.heartbeat.serial = self.agent.state.serial
            # What was not asked yet is no news: an agent that has just started must not report a sick rack.
            if self.heartbeat.status or status.is_complete(self.agent.state):
                document = build_heartbeat_status(self.agent.state)
                self.heartbeat.status = json.dumps(document, separators=(",", ":")).encode()
        self.sessions.follow(tuple(Target(host, port) for host, port in config.heartbeats) if config else ())

    async def list_peers(self) -> None:
        """Learn who else serves the subnets."""
        config = self._config()
        addresses = self.agent.state.addresses
        if config is not None and addresses is not None:
            await self.peering.list_peers(config, self.agent.values.node_ip, addresses)

    async def ask_peers(self) -> None:
        """Ask them, and report who answers."""
        config = self._config()
        if config is not None:
            self.peering.ask(config)
            self.agent.state.peers = self.peering.table.observations()

    def question_interval_s(self) -> float:
        """How often to ask them."""
        config = self._config()
        return self.peering.table.interval_s(config.heartbeat_s) if config is not None else LIST_INTERVAL_S

    async def pull(self) -> None:
        """Bring the zone here from a region that has had a newer one for a while."""
        config = self._config()
        if config is None:
            return
        now = asyncio.get_running_loop().time()
        source = self._lag.choose_source(self.agent.state.serial, self.heartbeat.answered, now)
        key = pull.read_key(self.agent.paths.tsig) if source else None
        if source is None or key is None:
            return
        own = Target(self.agent.values.node_ip, config.dns_port)
        try:
            said = await pull.pull_zone(own, source, config.domain, key)
        except (OSError, EOFError, dns.exception.DNSException) as error:
            said = f"zone {config.domain}: region {source.address} does not give it: {error!r}"
        if said != self._said:
            log(said)
        self._said = said

    def _config(self) -> AgentConfig | None:
        config = self.agent.config
        return config if config is not None and config.is_rack else None


def build_heartbeat_status(state: status.AgentState) -> dict[str, object]:
    """The status document without what each frame says anyway: a change of the serial alone must stay a small frame."""
    document = build_status_document(status.build_report(state))
    del document["zone"]
    return document
