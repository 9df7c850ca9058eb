"""Network namespaces joined by cables, and a way for the test to stand in one of them."""

import ctypes
import os
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_CLONE_NEWNET = 0x40000000
_LIBC = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class Namespace:
    """One network namespace of the test's own."""

    name: str

    @property
    def path(self) -> Path:
        """What nsenter takes."""
        return Path("/run/netns") / self.name

    def ip(self, *arguments: str) -> None:
        """Run ip(8) in it."""
        run("ip", "-n", self.name, *arguments)

    def sysctl(self, key: str, value: str) -> None:
        """Set one of its sysctls."""
        run("nsenter", f"--net={self.path}", "sh", "-c", f"echo {value} > /proc/sys/{key.replace('.', '/')}")

    @contextmanager
    def dropping(self, rule: str) -> Iterator[None]:
        """What arrives and matches an nft(8) rule is dropped meanwhile."""
        hook = "{ type filter hook input priority 0; }"
        for command in ("add table inet lost", f"add chain inet lost in {hook}", f"add rule inet lost in {rule} drop"):
            run("nsenter", f"--net={self.path}", "nft", command)
        try:
            yield
        finally:
            run("nsenter", f"--net={self.path}", "nft", "delete table inet lost")

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Sockets that this thread makes meanwhile belong to the namespace, and stay there."""
        with open("/proc/thread-self/ns/net") as home, self.path.open() as there:
            _enter(there.fileno())
            try:
                yield
            finally:
                _enter(home.fileno())


@contextmanager
def namespaces(*names: str) -> Iterator[dict[str, Namespace]]:
    """Fresh namespaces by their short names; whatever is in them goes when they do."""
    prefix = f"rrt{uuid.uuid4().hex[:6]}"
    made = {name: Namespace(f"{prefix}-{name}") for name in names}
    try:
        for namespace in made.values():
            run("ip", "netns", "add", namespace.name)
            namespace.ip("link", "set", "lo", "up")
        yield made
    finally:
        for namespace in made.values():
            subprocess.run(["ip", "netns", "delete", namespace.name], check=False, capture_output=True)


def connect(left: Namespace, left_name: str, right: Namespace, right_name: str) -> None:
    """Lay a cable between two namespaces; both ends are up and have no address."""
    end = ("peer", "name", right_name, "netns", right.name)
    left.ip("link", "add", left_name, "type", "veth", *end)
    for namespace, name in ((left, left_name), (right, right_name)):
        namespace.ip("link", "set", name, "up")


def give(namespace: Namespace, link: str, *addresses: str) -> None:
    """Give a link addresses that work at once: no duplicate address detection."""
    for address in addresses:
        extra = ("nodad",) if ":" in address else ()
        namespace.ip("address", "add", address, "dev", link, *extra)


def run(*command: str) -> str:
    """Run a command and return what it prints; raise with its words when it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def _enter(descriptor: int) -> None:
    if _LIBC.setns(descriptor, _CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
