"""The faults: what is done to the lab, for how long, and how it is undone."""

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from lab.binaries import find_binary
from lab.cluster import Lab
from lab.demo.product import NAMESPACE, OPERATOR_NAMESPACE
from tests.e2e.chaos.judge import RECOVERY_S, Fault

DAEMONS = ("named", "nginx", "squid", "rsyslogd", "agent")
# Rack -> interface -> its IPv4 address there: what machines ask.
ADDRESSES = {
    "rack1": {"prov0": "10.10.0.2"},
    "rack2": {"prov0": "10.10.0.3", "prov1": "10.20.0.3"},
    "rack3": {"prov0": "10.20.0.4"},
    "rack4": {"prov0": "10.20.0.5"},
}


@dataclass(frozen=True)
class Action:
    """Something to do at a rack or at the control plane, and to undo. The rest is as in Fault."""

    what: str
    rack: str | None
    do: Callable[[], object]
    undo: Callable[[], object]
    silenced: frozenset[str] = frozenset()
    deafens: bool = False
    witnesses: int = 1

    def carry_out(self, lasts_s: float) -> Fault:
        """The Fault, once it is undone."""
        began = time.monotonic()
        self.do()
        done = time.monotonic()
        try:
            time.sleep(lasts_s)
        finally:
            self.undo()
        ended = time.monotonic()
        return Fault(self.what, self.rack, began, done, ended, self.silenced, self.deafens, self.witnesses)


Maker = Callable[[Lab, str, random.Random], Action]


def deal_actions(lab: Lab, chance: random.Random) -> Iterator[Action]:
    """Actions without end, at racks by chance: every kind once, in random order, and then again."""
    while True:
        for make in chance.sample(MAKERS, len(MAKERS)):
            yield make(lab, chance.choice(tuple(ADDRESSES)), chance)


def _power_cut(lab: Lab, rack: str, _chance: random.Random) -> Action:
    return Action(
        "power cut",
        rack,
        lambda: lab.power_off(rack),
        lambda: lab.power_on(rack),
        frozenset(ADDRESSES[rack].values()),
        deafens=True,
    )


def _cut_provisioning(lab: Lab, rack: str, chance: random.Random) -> Action:
    interface = chance.choice(tuple(ADDRESSES[rack]))
    return Action(
        f"cut cable of {interface}",
        rack,
        lambda: lab.cut(rack, interface),
        lambda: lab.heal(rack),
        frozenset({ADDRESSES[rack][interface]}),
    )


def _break_switch(lab: Lab, rack: str, chance: random.Random) -> Action:
    interface = chance.choice(tuple(ADDRESSES[rack]))
    return Action(
        f"switch of {interface} passes nothing on",
        rack,
        lambda: lab.loss(rack, interface, 100),
        lambda: lab.heal(rack),
        frozenset({ADDRESSES[rack][interface]}),
        # The carrier stays, so only the other racks of the subnet can tell, and two of them have to.
        witnesses=2,
    )


def _cut_node(lab: Lab, rack: str, _chance: random.Random) -> Action:
    return Action("cut node cable", rack, lambda: lab.cut(rack, "fab0"), lambda: lab.heal(rack), deafens=True)


def _packet_loss(lab: Lab, rack: str, _chance: random.Random) -> Action:
    return Action("packet loss", rack, lambda: lab.loss(rack, "fab0", 10), lambda: lab.heal(rack), deafens=True)


def _api_outage(lab: Lab, _rack: str, _chance: random.Random) -> Action:
    return Action("API outage", None, lab.stop_api, lambda: _end_outage(lab))


def _end_outage(lab: Lab) -> None:
    lab.start_api()
    wait_led(lab)


def _killed_leader(lab: Lab, _rack: str, _chance: random.Random) -> Action:
    return Action("killed leader", None, lambda: kill_leader(lab), lambda: wait_led(lab))


def _killed_daemon(lab: Lab, rack: str, chance: random.Random) -> Action:
    daemon = chance.choice(DAEMONS)
    is_named = daemon == "named"
    silenced = frozenset(ADDRESSES[rack].values()) if is_named else frozenset[str]()
    return Action(
        f"killed {daemon}",
        rack,
        lambda: kill_daemon(lab, rack, daemon),
        lambda: None,
        silenced,
        deafens=is_named,
        # Degraded, not dead: it counts on while fewer than half of the subnet's racks are healthy.
        witnesses=2,
    )


MAKERS: tuple[Maker, ...] = (
    _power_cut,
    _cut_provisioning,
    _break_switch,
    _cut_node,
    _packet_loss,
    _api_outage,
    _killed_leader,
    _killed_daemon,
)


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


def kill_daemon(lab: Lab, rack: str, daemon: str) -> None:
    """SIGKILL to one daemon of a rack; the kubelet starts it anew."""
    for pod in lab.kubectl_json("get", "pods", "-n", NAMESPACE, f"--field-selector=spec.nodeName={rack}")["items"]:
        statuses = (*pod["status"].get("containerStatuses", []), *pod["status"].get("initContainerStatuses", []))
        for status in statuses:
            if status["name"] == daemon:
                _kill(lab, rack, status)


def _kill(lab: Lab, node: str, status: dict[str, str]) -> None:
    container = status.get("containerID", "").removeprefix("containerd://")
    # It may be down already.
    argv = [str(find_binary("ctr")), "-n", "k8s.io", "tasks", "kill", "--signal", "SIGKILL", container]
    lab.run_in(node, argv, check=False)


def describe(fault: Fault) -> str:
    """One line for a person."""
    where = f" at {fault.rack}" if fault.rack else ""
    return f"{fault.began:6.1f} s to {fault.ended:6.1f} s: {fault.what}{where}"
