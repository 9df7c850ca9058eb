"""What the agent does all the time, each loop on its own: configuration, daemons, regions, addresses."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from pyroute2 import AsyncIPRoute

from rackrelay import names
from rackrelay.agent import status
from rackrelay.agent.checks import addresses, dns, regions, wire
from rackrelay.agent.checks.link_news import LinkNews
from rackrelay.agent.config import mounted, zonefile
from rackrelay.agent.config.expand import Expanded, expand
from rackrelay.agent.config.mounted import Snapshot
from rackrelay.agent.config.swap import Swapper
from rackrelay.agent.config.views import expand_named
from rackrelay.agent.settings import NodeValues, Paths
from rackrelay.agent.status import AgentState
from rackrelay.daemons.daemon import Daemon
from rackrelay.daemons.named import NAMED
from rackrelay.daemons.table import configured
from rackrelay.protocol.agent_config import AgentConfig, parse_agent_config

WATCH_INTERVAL_S = 0.2
PROBE_INTERVAL_S = 1.0
# A link that flaps costs no more than ten lists a second.
ADDRESS_PAUSE_S = 0.1
ADDRESS_INTERVAL_S = 5.0
SERIAL_INTERVAL_S = 0.25
SERIAL_TIMEOUT_S = 0.5
# A restart of named takes less than this; nobody needs to hear of it.
SERIAL_MISSES = 3
# A file that was refused may be fine later (a full disk, a slow checker); a daemon may have missed its signal.
RETRY_INTERVAL_S = 5.0


@dataclass
class Agent:
    """The loops' shared state. `config` is None until a configuration is mounted."""

    paths: Paths
    values: NodeValues
    swapper: Swapper
    state: AgentState
    config: AgentConfig | None = None
    news: LinkNews = field(default_factory=LinkNews)
    _seen: str | None = None
    # One that comes and goes with its cable is served on: named need not read its configuration anew.
    _served: frozenset[str] = frozenset()
    _retry_at: float = 0.0
    _zone_prepared: bool = False
    _serial_misses: int = 0

    async def watch_config(self) -> None:
        """Apply what is mounted when it changed, and again now and then while it is not what runs."""
        if self.state.addresses is None:
            return
        now = asyncio.get_running_loop().time()
        served = self._served | {address.address for address in self.state.addresses}
        changed = mounted.current_version(self.paths.config) != self._seen or served != self._served
        wrong = bool(self.state.rejected or status.outdated(self.state))
        if not changed and not (wrong and now >= self._retry_at):
            return
        self._retry_at = now + RETRY_INTERVAL_S
        snapshot = mounted.read_snapshot(self.paths.config)
        config = self._take_config(snapshot) if snapshot else None
        if snapshot is None or config is None:
            return
        self._served = served
        zone_problem = await self._prepare_zone(config)
        await self._apply(snapshot, config, zone_problem)
        if not changed:
            self._signal_outdated()
        self._seen = snapshot.version

    async def watch_restarts(self) -> None:
        """Find the daemons that still run the file before their present one, and may not be told to read it."""
        self.state.restart_needed = tuple(
            daemon.name for daemon in self._configured() if not daemon.reloads and self.swapper.restart_needed(daemon)
        )

    async def watch_serial(self) -> None:
        """Keep up with the serial that named serves; none once it failed to say so a few times in a row."""
        if self.config is None:
            return
        try:
            async with asyncio.timeout(SERIAL_TIMEOUT_S):
                self.state.serial = await dns.ask_serial(self.config, self.values.node_ip)
            self._serial_misses = 0
        except (OSError, wire.BadAnswer):
            self._serial_misses += 1
            if self._serial_misses >= SERIAL_MISSES:
                self.state.serial = None

    async def probe_regions(self) -> None:
        """Count the region replicas in reach."""
        if self.config is not None:
            known_regions = self.config.regions
            self.state.regions_reachable = await regions.count_reachable(known_regions, self.config.http_port)
            self.state.regions_known = len(known_regions)
            self.state.regions_asked = True

    async def follow_addresses(self) -> None:
        """Read the addresses when a link or an address changed, and again now and then."""
        await self.news.wait(ADDRESS_INTERVAL_S)
        await self.read_addresses()

    async def read_addresses(self) -> None:
        """List the node's addresses; while the kernel does not tell, those it told last stay."""
        async with AsyncIPRoute() as route:
            self.state.addresses = await addresses.list_addresses(route)

    def _take_config(self, snapshot: Snapshot) -> AgentConfig | None:
        try:
            self.config = parse_agent_config(snapshot.data[names.FILE_AGENT])
        except (KeyError, TypeError, ValueError) as error:
            self._reject({"agent": f"{names.FILE_AGENT}: {error!r}"})
            self._seen = snapshot.version
            return None
        self.state.daemons = self.config.daemons
        return self.config

    async def _prepare_zone(self, config: AgentConfig) -> str | None:
        """Once, and only while named does not run: a running one writes its zone file itself."""
        if self._zone_prepared:
            return None
        if self.swapper.find("named") is None:
            published = zonefile.parse_published(mounted.read_snapshot(self.paths.zone))
            try:
                log(await zonefile.prepare_zone(self.paths.state / "named", config, published))
            except OSError as error:
                return f"the zone file cannot be written: {error}"
        self._zone_prepared = True
        return None

    async def _apply(self, snapshot: Snapshot, config: AgentConfig, zone_problem: str | None) -> None:
        rejected = {}
        for daemon in self._configured():
            words = await self._apply_file(daemon, snapshot.data)
            if words is not None:
                rejected[daemon.name] = words
        if not rejected:
            # A full disk is reported, and the daemons start with what is there.
            (self.paths.run / names.FILE_READY).touch()
        self._reject(rejected | ({"zone": zone_problem} if zone_problem else {}))
        self.state.config_hash = snapshot.digest

    def _configured(self) -> list[Daemon]:
        """The daemons of this pod that have a file; one that only another release knows is left alone."""
        return [daemon for daemon in configured() if daemon.name in self.state.daemons]

    async def _apply_file(self, daemon: Daemon, data: Mapping[str, str]) -> str | None:
        if daemon.file not in data:
            return f"{daemon.file} is missing from the ConfigMap"
        try:
            wanted = self._expand(daemon, data)
        except (KeyError, TypeError, ValueError) as error:
            return f"{names.FILE_VIEWS}: {error!r}"
        self.state.wanted[daemon.name] = wanted.hash
        try:
            return await self.swapper.apply(daemon, wanted)
        except OSError as error:
            return f"{daemon.file} cannot be written: {error}"

    def _expand(self, daemon: Daemon, data: Mapping[str, str]) -> Expanded:
        if daemon is NAMED:
            return expand_named(data, self.values, self._served)
        return expand(data[daemon.file], self.values)

    def _reject(self, rejected: dict[str, str]) -> None:
        for daemon, words in rejected.items():
            if self.state.rejected.get(daemon) != words:
                log(f"{daemon}: configuration refused, the last good one stays: {words}")
        self.state.rejected = rejected

    def _signal_outdated(self) -> None:
        waiting = status.outdated(self.state)
        for daemon in self._configured():
            if daemon.reloads and daemon.name in waiting and daemon.name not in self.state.rejected:
                process = self.swapper.find(daemon.name)
                if process is not None:
                    self.swapper.reload(process)


async def repeat(step: Callable[[], Awaitable[None]], interval_s: float | Callable[[], float]) -> None:
    """Run a step for ever; a step that fails is logged when its failure changes, and tried again.

    `interval_s`: seconds between the end of one and the beginning of the next, or what gives them each time.
    """
    last = ""
    while True:
        try:
            await step()
            last = ""
        except Exception as error:  # one loop's fault must not end the others
            if repr(error) != last:
                log(f"{getattr(step, '__name__', step)}: {error!r}")
            last = repr(error)
        await asyncio.sleep(interval_s() if callable(interval_s) else interval_s)


def log(message: str) -> None:
    """One line to the container's log."""
    print(message, file=sys.stderr, flush=True)
