"""The Lease that says which operator writes: taken when its holder falls silent, renewed each second, then given back.

Clocks of two machines are never compared. A follower counts from when it last saw the Lease change; the leader counts
from when it sent the last renewal that succeeded, and stops a second before any follower may begin.
"""

import asyncio
import contextlib
import logging
import math
import secrets
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from rackrelay.cluster.client import LEASE, Client, unfenced
from rackrelay.cluster.version import HighWater
from rackrelay.errors import ClusterError, Conflict, NotLeading
from rackrelay.model.meta import Manifest

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Timing:
    """Seconds. Others may take the Lease `duration_s` after its holder's last sign of life; the holder itself stops
    writing `deadline_s` after it. `poll_s`: how often followers look. `request_s`: how long a renewal may hang, such
    that a second one fits in before the deadline."""

    duration_s: int = 3
    deadline_s: float = 2.0
    renew_s: float = 1.0
    poll_s: float = 0.5
    retry_s: float = 0.1
    request_s: float = 0.5


def boot_seconds() -> float:
    """Seconds since the machine started. Unlike other monotonic clocks this one goes on while the machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def own_identity() -> str:
    """Who we are: the pod's name, and a suffix because a container that starts anew keeps it."""
    return f"{socket.gethostname()}_{secrets.token_hex(4)}"


@dataclass
class Lease:
    """One operator's view of the Lease. `client` must not be fenced by it.

    Every replica reads it or writes it each second, so it also tells that the API server's store was set back:
    `acquire`, `keep` and `attempt` raise StoreSetBack then.
    """

    client: Client
    namespace: str
    name: str
    identity: str = field(default_factory=own_identity)
    timing: Timing = Timing()
    clock: Callable[[], float] = boot_seconds
    _live: Manifest | None = None
    _changed_at: float = -math.inf
    _renewed_at: float = -math.inf
    _said: str = ""
    _seen: HighWater = field(default_factory=HighWater)

    @property
    def leads(self) -> bool:
        """Whether we may write now."""
        return self._age() < self.timing.deadline_s

    @property
    def holder(self) -> str:
        """Who held it when it was last seen; empty when nobody did."""
        return str(self._spec().get("holderIdentity") or "")

    def fence(self) -> float:
        """For how many seconds a write that begins now cannot meet one of another leader.

        Raises:
            NotLeading: it may not begin.
        """
        if not self.leads:
            raise NotLeading(f"{self.holder or 'nobody'} leads")
        return self.timing.duration_s - self._age()

    async def acquire(self) -> None:
        """Wait until we lead."""
        while not self.leads:
            await self._try(self.timing.renew_s)
            if not self.leads:
                await asyncio.sleep(self._patience_s())

    async def keep(self) -> None:
        """Renew for as long as we lead; returns when we do not, perhaps because this process was stopped a while."""
        while self.leads:
            await asyncio.sleep(max(self.timing.retry_s, self.timing.renew_s - self._age()))
            left_s = self.timing.deadline_s - self._age()
            if left_s > 0:
                await self._try(min(self.timing.request_s, left_s))

    async def release(self) -> None:
        """Let another lead at once. Nothing may be written any more by us, whether this succeeds or not."""
        self._renewed_at = -math.inf
        try:
            async with asyncio.timeout(self.timing.renew_s):
                await self._give_back()
        except (ClusterError, TimeoutError) as error:
            logger.warning("the Lease is not given back, others wait until it expires: %s", _words(error))

    async def attempt(self) -> None:
        """Look who holds the Lease, unless it is known to be us, and write it if it is ours, free or expired.

        Raises:
            ClusterError: the API server refused or did not answer.
        """
        for _attempt in range(2):
            if self.holder != self.identity:
                await self._look()
            if not self._may_take():
                return
            # Somebody was faster, or we were and never heard the answer. Another look tells.
            with contextlib.suppress(Conflict):
                await self._write(self.identity, self.timing.duration_s)
                return

    async def _give_back(self) -> None:
        for _attempt in range(2):
            if self._live is None:
                await self._look()
            if self.holder != self.identity:
                return
            with contextlib.suppress(Conflict):
                # As client-go gives a Lease back: without a holder, and expired soon.
                await self._write("", 1)
                return

    async def _try(self, limit_s: float) -> None:
        try:
            async with asyncio.timeout(limit_s):
                await self.attempt()
            self._said = ""
        except (ClusterError, TimeoutError) as error:
            if self._said != _words(error):
                self._said = _words(error)
                logger.warning("the Lease cannot be had: %s", self._said)

    async def _look(self) -> None:
        live = await self.client.get(LEASE, self.namespace, self.name)
        if live is not None:
            self._seen.rise(live)
        if live is None or self._live is None or live["spec"] != self._live["spec"]:
            self._changed_at = self.clock()
        self._live = live
        if self.holder != self.identity:
            self._renewed_at = -math.inf

    def _may_take(self) -> bool:
        return self.holder in ("", self.identity) or self._expires_in_s() <= 0

    async def _write(self, holder: str, duration_s: int) -> None:
        sent = self.clock()
        write = self.client.create if self._live is None else self.client.replace
        try:
            written = await write(LEASE, self._manifest(holder, duration_s))
            if written is None:
                raise Conflict("somebody else made the Lease")
            self._seen.rise(written)
        except BaseException:
            # Whether it was written is not known.
            self._live = None
            raise
        self._live, self._changed_at = written, self.clock()
        self._renewed_at = sent if holder == self.identity else -math.inf

    def _manifest(self, holder: str, duration_s: int) -> Manifest:
        """The Lease as client-go's leader election writes it, so that `kubectl get lease` reads well."""
        before, now = self._spec(), _micro_time(datetime.now(UTC))
        changes = holder != self.holder
        spec = {
            **before,
            "holderIdentity": holder,
            "leaseDurationSeconds": duration_s,
            "acquireTime": now if changes or not before.get("acquireTime") else before["acquireTime"],
            "renewTime": now,
            "leaseTransitions": before.get("leaseTransitions", 0) + (1 if changes and holder and before else 0),
        }
        base = self._live or {
            "apiVersion": LEASE.api_version,
            "kind": LEASE.name,
            "metadata": {"namespace": self.namespace, "name": self.name},
        }
        return {**base, "spec": spec}

    def _spec(self) -> dict[str, Any]:
        return (self._live or {}).get("spec") or {}

    def _age(self) -> float:
        return self.clock() - self._renewed_at

    def _expires_in_s(self) -> float:
        """What counts is the time that the holder has promised to keep to."""
        duration_s = self._spec().get("leaseDurationSeconds") or self.timing.duration_s
        return float(self._changed_at + duration_s - self.clock())

    def _patience_s(self) -> float:
        expires_in_s = self._expires_in_s()
        return min(self.timing.poll_s, expires_in_s) if expires_in_s > 0 else self.timing.poll_s


@dataclass
class Alone:
    """The election of an operator that has no rival: it leads from the start to the end."""

    identity: str = field(default_factory=own_identity)

    def fence(self) -> float:
        """It may write for ever."""
        return unfenced()

    async def acquire(self) -> None:
        """At once."""

    async def keep(self) -> None:
        """For ever."""
        await asyncio.Event().wait()

    async def release(self) -> None:
        """Nobody waits for it."""


def _micro_time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _words(error: BaseException) -> str:
    return str(error) or "the API server does not answer in time"
