"""Fetch the zone from a region when this rack's own is older and nobody brings the newer one.

The decision is pure, with the clock as an argument; the transfer and the UPDATE are the operator's own.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rackrelay import names
from rackrelay.agent.files import read_file
from rackrelay.agent.sessions.heartbeat import Target
from rackrelay.nameservers.push import Outcome, repair
from rackrelay.nameservers.server import NameServer
from rackrelay.nameservers.transfer import transfer
from rackrelay.nameservers.update import TsigKey

# The operator's own UPDATE comes sooner, if it comes at all: it is sent for the last time 0.4 s after the first. Before
# that a region needs 0.25 s to see its new serial and as long to say it; with the transfer the rack has it within 2 s.
LAG_S = 0.75
RETRY_S = 1.0


@dataclass
class Lag:
    """Since when this rack serves less than a region does, and when to try next."""

    since: float | None = None
    next_try: float = 0.0

    def choose_source(self, own: int | None, answered: Mapping[Target, int | None], now: float) -> Target | None:
        """The replica to pull from now, one with the greatest serial; None while there is nothing to do.

        A rack whose own named does not answer pulls nothing: there is nobody to bring it to.
        """
        serials = {target: serial for target, serial in answered.items() if serial is not None}
        newest = max(serials.values(), default=-1)
        if own is None or newest <= own:
            self.since = None
            return None
        if self.since is None:
            self.since = now
        if now - self.since < LAG_S or now < self.next_try:
            return None
        self.next_try = now + RETRY_S
        return min((t for t, serial in serials.items() if serial == newest), key=lambda t: (t.port, t.address))


def read_key(folder: Path) -> TsigKey | None:
    """The mounted TSIG key, None while there is none."""
    name, secret = read_file(folder / names.KEY_TSIG_NAME), read_file(folder / names.KEY_TSIG_SECRET)
    return TsigKey(name.strip(), secret.strip()) if name and secret else None


async def pull_zone(own: Target, source: Target, domain: str, key: TsigKey) -> str:
    """Bring this rack's named to what the region serves, and say what came of it.

    Raises:
        OSError, EOFError, TimeoutError, dns.exception.DNSException: the region does not give its zone.
    """
    region = NameServer("", source.address, source.address, names.PORT_REGION_DNS)
    wanted = await transfer(region, domain, key)
    outcome = await repair(NameServer("", own.address, own.address, own.port), wanted, key)
    done = "pulled" if outcome is Outcome.UPDATED else f"cannot pull ({outcome.value})"
    return f"zone {domain}: {done} serial {wanted.serial} from region {source.address}"
