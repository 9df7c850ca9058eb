"""The faults: what is done to the lab, for how long, and how it is undone."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lab.binaries import find_binary
from lab.cluster import Lab
from lab.demo.product import NAMESPACE, OPERATOR_NAMESPACE
from tests.e2e.chaos.judge import RECOVERY_S, Fault

RACKS = ("rack1", "rack2", "rack3", "rack4")
DAEMONS = ("named", "nginx", "squid", "rsyslogd", "agent")


@dataclass(frozen=True)
class Action:
    """Something to do at a rack or at the control plane, and to undo."""

    what: str
    rack: str | None
    do: Callable[[], object]
    undo: Callable[[], object]
    deadly: bool = False

    def carry_out(self, lasts_s: float) -> Fault:
        """The Fault, once it is undone."""
        began = time.monotonic()
        self.do()
        done = time.monotonic()
        try:
            time.sleep(lasts_s)
        finally:
            ending = time.monotonic()
            self.undo()
        # A rack that comes back to life is dead no more before `undo` returns; what else is undone lasts until then.
        return Fault(
            self.what, self.rack, began, ending if self.deadly else time.monotonic(), done if self.deadly else None
        )


def choose_action(lab: Lab, chance: random.Random) -> Action:
    """One action by chance."""
    rack = chance.choice(RACKS)
    makers: list[Callable[[], Action]] = [
        lambda: Action("power cut", rack, lambda: lab.power_off(rack), lambda: lab.power_on(rack), deadly=True),
        lambda: Action(
            "cut provisioning cable", rack, lambda: lab.cut(rack, "prov0"), lambda: lab.heal(rack), rack != "rack2"
        ),
        lambda: Action("cut node cable", rack, lambda: lab.cut(rack, "fab0"), lambda: lab.heal(rack)),
        lambda: Action("packet loss", rack, lambda: lab.loss(rack, "fab0", 10), lambda: lab.heal(rack)),
        lambda: Action("API outage", None, lab.stop_api, lambda: (lab.start_api(), wait_led(lab))),
        lambda: Action("killed leader", None, lambda: kill_leader(lab), lambda: wait_led(lab)),
        lambda: _killed_daemon(lab, rack, chance.choice(DAEMONS)),
    ]
    return chance.choice(makers)()


def kill_leader(lab: Lab) -> None:
    """SIGKILL to the operator that leads; the other one takes over."""
    leader = str(_read_lease(lab).get("holderIdentity", "")).rpartition("_")[0]
    pod = lab.kubectl_json("get", "pod", leader, "-n", OPERATOR_NAMESPACE)
    for status in pod["status"].get("containerStatuses", []):
        _kill(lab, pod["spec"]["nodeName"], status)


def wait_led(lab: Lab) -> None:
    """Returns when an operator has renewed the Lease since now.

    Raises:
        TimeoutError: nobody leads.
    """
    before = _read_lease(lab).get("renewTime")
    deadline = time.monotonic() + RECOVERY_S
    while _read_lease(lab).get("renewTime") == before:
        if time.monotonic() > deadline:
            raise TimeoutError("no operator leads")
        time.sleep(0.2)


def _read_lease(lab: Lab) -> dict[str, Any]:
    lease: dict[str, Any] = lab.kubectl_json("get", "lease", "rackrelay", "-n", OPERATOR_NAMESPACE)["spec"]
    return lease


def _killed_daemon(lab: Lab, rack: str, daemon: str) -> Action:
    def kill() -> None:
        found = lab.kubectl_json("get", "pods", "-n", NAMESPACE, f"--field-selector=spec.nodeName={rack}")["items"]
        for pod in found:
            statuses = (*pod["status"].get("containerStatuses", []), *pod["status"].get("initContainerStatuses", []))
            for status in statuses:
                if status["name"] == daemon:
                    _kill(lab, rack, status)

    return Action(f"killed {daemon}", rack, kill, _nothing)


def _kill(lab: Lab, node: str, status: dict[str, str]) -> None:
    container = status.get("containerID", "").removeprefix("containerd://")
    # It may be down already.
    argv = [str(find_binary("ctr")), "-n", "k8s.io", "tasks", "kill", "--signal", "SIGKILL", container]
    lab.run_in(node, argv, check=False)


def _nothing() -> None:
    return


def describe(fault: Fault, start: float) -> str:
    """One line for a person."""
    where = f" at {fault.rack}" if fault.rack else ""
    return f"{fault.began - start:6.1f} s to {fault.ended - start:6.1f} s: {fault.what}{where}"
