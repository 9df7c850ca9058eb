"""Two operators for one namespace, as the chart's Deployment runs them, and who of them leads."""

import os
import signal
import time
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from rackrelay import names
from rackrelay.cluster.client import LEASE, NODE
from tests.api.operator.cluster import Manifest, wait_for
from tests.api.operator.process import HOME, Operator, write_kubeconfig
from tests.api.operator.rig import Rig

LEASE_NAME = "rackrelay"
BOTH = {"_10_10_0_0__24": ("10.10.0.2", "10.10.0.3")}


class Replica(Operator):
    """One operator. Without `elects` it leads always, whatever others do."""

    def __init__(self, rig: Rig, folder: Path, elects: bool = True) -> None:
        folder.mkdir()
        super().__init__(write_kubeconfig(rig.cluster, rig.namespace, folder), rig.namespace, folder)
        if elects:
            self.environment |= {"LEASE_NAMESPACE": HOME, "LEASE_NAME": LEASE_NAME}

    def pause(self) -> None:
        """It does nothing until `resume`, and does not know it."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: int) -> None:
        assert self._process is not None
        os.kill(self._process.pid, number)


class Replicas:
    """Two operators that run when this is entered."""

    def __init__(self, rig: Rig, folder: Path, elects: bool = True) -> None:
        self.rig = rig
        self.all = tuple(Replica(rig, folder / name, elects) for name in ("a", "b"))
        self._cleanup = ExitStack()

    def __enter__(self) -> Self:
        for replica in self.all:
            self._cleanup.callback(replica.kill)
            replica.start()
        for replica in self.all:
            replica.wait_started()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._cleanup:
            assert "Traceback" not in self.log, self.log

    @property
    def log(self) -> str:
        return "\n".join(replica.log for replica in self.all)

    def lease(self) -> Manifest:
        """The Lease's spec; empty when there is none."""
        found = self.rig.cluster.get(LEASE, HOME, LEASE_NAME)
        return dict((found or {}).get("spec", {}))

    def find_leader(self) -> Replica | None:
        """Who holds the Lease and knows it."""
        holder = self.lease().get("holderIdentity")
        for replica in self.all:
            if holder and f"{holder} leads" in replica.log and replica.is_running:
                return replica
        return None

    def wait_leader(self, other_than: Replica | None = None) -> Replica:
        """The leader, as soon as there is one, or another one."""

        def look() -> Replica | None:
            leader = self.find_leader()
            return leader if leader is not other_than else None

        return wait_for("a leader", look, lambda: self.log)

    def other(self, replica: Replica) -> Replica:
        (other,) = (r for r in self.all if r is not replica)
        return other

    def measure_takeover(self, old: Replica, what: str) -> float:
        """Seconds from now until another leads; told on the screen of `pytest -rP`."""
        began = time.monotonic()
        self.wait_leader(other_than=old)
        seconds = time.monotonic() - began
        print(f"{what}: another leads after {seconds:.2f} s")
        return seconds


def lay_out(rig: Rig) -> None:
    """A region with two replicas, a Subnet, and two racks in it."""
    rig.apply_demo("region.yaml", "rack.yaml")
    rig.apply("Subnet", "prov-a", {"cidr": "10.10.0.0/24"})
    for ordinal in (0, 1):
        rig.add_region_pod(ordinal)
    for number in (2, 3):
        rig.add_rack(number, f"10.10.0.{number}/24")
    for pod in rig.pods.values():
        pod.follow_config()
    rig.wait_zone(**BOTH)


def drain(rig: Rig, drained: bool) -> None:
    label = "true" if drained else None
    rig.cluster.patch(NODE, "", "rack3", {"metadata": {"labels": {names.LABEL_DRAIN: label}}})


def trace(rig: Rig) -> tuple[object, ...]:
    """What changes when anybody writes anything but the Lease, to the API server or to a name server."""
    updates = {name: len(pod.dns.record.updates) for name, pod in rig.pods.items()}
    return rig.snapshot(), rig.cluster.count_writes(), updates
