"""Ask name servers one question again and again until each gives the wanted answer: a process beside the bench.

The task comes as JSON on standard input; `started` is printed when the asking begins, at the end one JSON object. Times
are of the monotonic clock, which all processes of a machine share. A process of its own, because it must run in
another network namespace and must not wait for the bench.
"""

import contextlib
import functools
import json
import random
import select
import socket
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field

import dns.exception
import dns.message
import dns.rdatatype

Server = tuple[str, int]

# An answer that took long need not be timed to the same fraction of a millisecond: asking less leaves the machine to
# those who are measured.
SLACK = 0.02


@dataclass(frozen=True)
class Task:
    """Ask `servers` for `kind` of `name` until each gives exactly `wanted`, but no longer than `patience_s`.

    `heartbeat`: asked too, for when it was heard last. `prime_s`: the time to live of caches; they are made to expire
    and filled again at random times, so that they are of different age when the asking begins.
    """

    name: str
    kind: str
    wanted: Sequence[str]
    servers: Sequence[Server]
    interval_s: float
    patience_s: float
    heartbeat: Server | None = None
    prime_s: float = 0.0


@dataclass
class Seen:
    """When each server first gave the wanted answer, and when the heartbeat was heard last."""

    answered: dict[Server, float] = field(default_factory=dict)
    last_heard: float | None = None


class Asker:
    """One socket for all servers of an address family."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._seen = Seen()
        self._wire = dns.message.make_query(f"{task.name}.", task.kind).to_wire()
        self._sockets = {family: _open(family) for family in _families(task)}
        self._wanted = frozenset(task.wanted)

    def prime(self) -> None:
        """Nobody is asked until what is cached has expired; then each server once at a time of its own."""
        began = time.monotonic() + self._task.prime_s
        plan = [(began + random.uniform(0, self._task.prime_s), server) for server in self._task.servers]
        for due, server in sorted(plan):
            self._listen(due, frozenset())
            self._send([server])
        self._listen(began + self._task.prime_s, frozenset())

    def run(self) -> Seen:
        """What was seen when every server has answered or time is up."""
        began = now = time.monotonic()
        while (waiting := self._waiting()) and now - began < self._task.patience_s:
            self._send(waiting if self._task.heartbeat is None else [*waiting, self._task.heartbeat])
            self._listen(now + max(self._task.interval_s, SLACK * (now - began)), frozenset(waiting))
            now = time.monotonic()
        return self._seen

    def close(self) -> None:
        """Nothing is heard any more."""
        for each in self._sockets.values():
            each.close()

    def _waiting(self) -> list[Server]:
        return [server for server in self._task.servers if server not in self._seen.answered]

    def _send(self, servers: Iterable[Server]) -> None:
        for server in servers:
            # A host without a route to the server is no reason to stop: it may be back.
            try:
                self._sockets[_family(server)].sendto(self._wire, server)
            except OSError:
                continue

    def _listen(self, until: float, waiting: frozenset[Server]) -> None:
        while (left := until - time.monotonic()) > 0:
            for ready in select.select([*self._sockets.values()], [], [], left)[0]:
                self._receive(ready, waiting)

    def _receive(self, ready: socket.socket, waiting: frozenset[Server]) -> None:
        try:
            wire, (address, port, *_) = ready.recvfrom(4096)
        except OSError:
            return
        now, server = time.monotonic(), (address, port)
        if server == self._task.heartbeat:
            self._seen.last_heard = now
        if server in waiting and read_answer(wire[2:]) == self._wanted:
            self._seen.answered.setdefault(server, now)


@functools.lru_cache(maxsize=4096)
def read_answer(wire: bytes) -> frozenset[str] | None:
    """The data of the answer's records, None when it is no answer. `wire` lacks the message's first two bytes."""
    try:
        message = dns.message.from_wire(b"\0\0" + wire)
    except dns.exception.DNSException:
        return None
    if message.rcode() not in (0, 3):
        return None
    return frozenset(rdata.to_text() for rrset in message.answer for rdata in rrset)


def read_task(text: str) -> Task:
    """The Task in the JSON that `write_task` wrote."""
    data = json.loads(text)
    heartbeat = data.pop("heartbeat")
    servers = tuple((address, port) for address, port in data.pop("servers"))
    wanted = tuple(data.pop("wanted"))
    return Task(**data, wanted=wanted, servers=servers, heartbeat=tuple(heartbeat) if heartbeat else None)


def write_task(task: Task) -> str:
    """The task as JSON."""
    return json.dumps(asdict(task))


def read_seen(text: str) -> Seen:
    """The Seen in the JSON that `write_seen` wrote."""
    data = json.loads(text)
    return Seen({(address, port): at for address, port, at in data["answered"]}, data["last_heard"])


def write_seen(seen: Seen) -> str:
    """What was seen as JSON."""
    answered: Mapping[Server, float] = seen.answered
    return json.dumps({"answered": [[*server, at] for server, at in answered.items()], "last_heard": seen.last_heard})


def _family(server: Server) -> int:
    return socket.AF_INET6 if ":" in server[0] else socket.AF_INET


def _families(task: Task) -> set[int]:
    return {_family(server) for server in (*task.servers, *([task.heartbeat] if task.heartbeat else []))}


def _open(family: int) -> socket.socket:
    made = socket.socket(family, socket.SOCK_DGRAM)
    made.setblocking(False)
    return made


def main() -> int:
    """Exit code 0; whether everybody answered is in what was seen."""
    with contextlib.closing(Asker(read_task(sys.stdin.read()))) as asker:
        asker.prime()
        print("started", flush=True)
        print(write_seen(asker.run()), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
