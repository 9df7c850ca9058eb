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
from rackrelay.agent.sessions.heartbeat import Pulse, Sessions, Target
from rackrelay.agent.sessions.pull import Lag
from rackrelay.agent.settings import Duties

BEAT_INTERVAL_S = 0.1
LIST_INTERVAL_S = 1.0


@dataclass
class RackLoops:
    """All of it idles while this pod is not known to be a rack's."""

    agent: Agent
    pulse: Pulse
    sessions: Sessions
    peering: Peering
    _lag: Lag = field(default_factory=Lag)
    _said: str = ""

    @classmethod
    def of(cls, agent: Agent) -> "RackLoops":
        """The loops of one agent."""
        pulse = Pulse(agent.values.node_name, partial(read_agent_key, agent.paths.agent_key))
        return cls(agent, pulse, Sessions(pulse, log), Peering(asyncio.get_running_loop().time))

    async def beat(self) -> None:
        """Keep up to date what the sessions say, and to whom."""
        duties = self._duties()
        if duties is not None:
            self.pulse.interval_s = duties.heartbeat_s
            self.pulse.serial = self.agent.known.serial
            # What was not asked yet is no news: an agent that has just started must not report a sick rack.
            if self.pulse.status or status.is_complete(self.agent.known):
                self.pulse.status = json.dumps(build_report(self.agent.known), separators=(",", ":")).encode()
        self.sessions.follow(tuple(Target(host, port) for host, port in duties.heartbeats) if duties else ())

    async def list_peers(self) -> None:
        """Learn who else serves the subnets."""
        duties = self._duties()
        addresses = self.agent.known.addresses
        if duties is not None and addresses is not None:
            await self.peering.list_peers(duties, self.agent.values.node_ip, addresses)

    async def ask_peers(self) -> None:
        """Ask them, and report who answers."""
        duties = self._duties()
        if duties is not None:
            self.peering.ask(duties)
            self.agent.known.peers = self.peering.sights.document()

    def question_interval_s(self) -> float:
        """How often to ask them."""
        duties = self._duties()
        return self.peering.sights.interval_s(duties.heartbeat_s) if duties is not None else LIST_INTERVAL_S

    async def pull(self) -> None:
        """Bring the zone here from a region that has had a newer one for a while."""
        duties = self._duties()
        if duties is None:
            return
        now = asyncio.get_running_loop().time()
        source = self._lag.choose_source(self.agent.known.serial, self.pulse.answered, now)
        key = pull.read_key(self.agent.paths.tsig) if source else None
        if source is None or key is None:
            return
        own = Target(self.agent.values.node_ip, duties.dns_port)
        try:
            said = await pull.pull_zone(own, source, duties.domain, key)
        except (OSError, EOFError, dns.exception.DNSException) as error:
            said = f"zone {duties.domain}: region {source.address} does not give it: {error!r}"
        if said != self._said:
            log(said)
        self._said = said

    def _duties(self) -> Duties | None:
        duties = self.agent.duties
        return duties if duties is not None and duties.is_rack else None


def build_report(known: status.Knowledge) -> dict[str, object]:
    """The status document without what each frame says anyway: a change of the serial alone must stay a small frame."""
    document = status.build_document(known)
    del document["zone"]
    return document
