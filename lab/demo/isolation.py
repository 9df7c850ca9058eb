"""Step (e): a machine reaches racks and nothing else.

That a connection fails proves nothing by itself: the port may be closed, or a route may be missing. So a rack asks
first, with the same command, and then a machine that has every route, through that rack and back.
"""

import contextlib
import ipaddress
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from lab.apiserver import SERVICE_ADDRESS
from lab.cluster import Lab
from lab.demo import knock
from lab.demo.knock import OPEN
from lab.demo.product import NAMESPACE, region_pods
from lab.demo.report import Report, expect
from lab.network import API_ADDRESS
from lab.shell import in_parallel
from lab.topology import Machine, Node, Topology, Wan

REFUSED = "connection refused"
MACHINE_PATIENCE_S, RACK_PATIENCE_S = 1, 5
_KUBELET, _METADATA = 10250, 5240


@dataclass(frozen=True)
class Target:
    """An address and port that is no machine's business, and what comes back to whoever may reach it."""

    whose: str
    address: str
    port: int
    answer: str = OPEN

    @property
    def at(self) -> str:
        return f"{self.address}/{self.port}"

    def __str__(self) -> str:
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"


@dataclass(frozen=True)
class Way:
    """How a machine would reach what is behind a node of its network, in one address family, and be answered."""

    network: str
    gateway: str
    back: str

    @property
    def default(self) -> str:
        return f"{'::' if ':' in self.network else '0.0.0.0'}/0 via {self.gateway}"  # noqa: S104 - a route

    @property
    def answers(self) -> str:
        return f"{self.network} via {self.back}"


def isolation(report: Report) -> None:
    """A machine reaches nothing but racks, not even with a default route through any node of its network."""
    topology = report.lab.site.topology
    targets = gather_targets(report.lab)
    for whose in dict.fromkeys(target.whose for target in targets):
        report.say(f"  {whose}: {', '.join(str(target) for target in targets if target.whose == whose)}")
    for machine in topology.machines:
        reach_nothing(report, machine.name, targets)
        for node in topology.nodes:
            if ways := find_ways(node, machine):
                with routed(report.lab, machine, node, ways):
                    reach_all(report, node.name, targets)
                    report.say(f"  {machine.name}: default route through {' and '.join(way.gateway for way in ways)}")
                    reach_nothing(report, machine.name, targets)


def gather_targets(lab: Lab) -> list[Target]:
    """Nodes on the node network, the regions' pods and Services, the API server, and the outside."""
    topology = lab.site.topology
    pods = [lab.kubectl_json("get", "pod", "-n", NAMESPACE, name)["status"]["podIP"] for name in region_pods(lab)]
    services = [item["spec"] for item in lab.kubectl_json("get", "services", "-n", NAMESPACE)["items"]]
    wan = topology.wan
    return [
        *(Target("nodes", node.address, _KUBELET) for node in topology.nodes),
        # Nothing listens there. That a node says so is an answer too.
        *(Target("nodes over IPv6", node.address6, _KUBELET, REFUSED) for node in topology.nodes),
        *(Target("region pods", pod, _METADATA) for pod in pods),
        *(Target("region Services", spec["clusterIP"], port) for spec in services for port in tcp_ports(spec)),
        Target("API server", SERVICE_ADDRESS, 443),
        Target("API server", API_ADDRESS, 6443),
        *([Target("the outside", wan.archive, 80), Target("the outside", wan.dns, 53)] if wan else []),
    ]


def tcp_ports(service: Mapping[str, list[dict[str, object]]]) -> list[int]:
    """The ports of a Service's spec that a connection can be opened to."""
    return [int(str(port["port"])) for port in service["ports"] if port["protocol"] == "TCP"]


def find_ways(node: Node, machine: Machine) -> list[Way]:
    """The ways through a node, one for each address that it has on the machine's networks."""
    bridges = {link.bridge for link in machine.links}
    addresses = [address for link in node.links if link.bridge in bridges for address in link.addresses]
    interfaces = [ipaddress.ip_interface(address) for address in addresses]
    return [
        Way(str(interface.network), str(interface.ip), node.address if interface.version == 4 else node.address6)
        for interface in interfaces
    ]


@contextlib.contextmanager
def routed(lab: Lab, machine: Machine, node: Node, ways: Sequence[Way]) -> Iterator[None]:
    """The machine's packets find their way through the node to everything, and the answers back, meanwhile."""
    routes = plan_routes(lab.site.topology, machine, node, ways)

    def tell(verb: str, host: str, check: bool) -> None:
        lines = "".join(f"route {verb} {route}\n" for route in routes[host])
        lab.run_in(host, ["ip", "-force", "-batch", "-"], stdin=lines, check=check)

    try:
        in_parallel(partial(tell, "replace", host, True) for host in routes)
        yield
    finally:
        in_parallel(partial(tell, "del", host, False) for host in routes)


def plan_routes(topology: Topology, machine: Machine, node: Node, ways: Sequence[Way]) -> dict[str, list[str]]:
    """Host -> the routes that it lacks: the machine's to everywhere, the node's to the outside, all others' back."""
    bridges = {link.bridge for link in machine.links}
    routes = {machine.name: [way.default for way in ways]}
    # The control plane has no IPv6 address.
    routes["api"] = [way.answers for way in ways if ":" not in way.network]
    for other in topology.nodes:
        # Whoever is on the machine's network itself answers directly.
        if not any(link.bridge in bridges for link in other.links):
            routes[other.name] = [way.answers for way in ways]
    if topology.wan and (out := _uplink_node(topology)) and out != node:
        routes[node.name] = [f"{network} via {out.address}" for network in _networks(topology.wan)]
    return routes


def reach_all(report: Report, host: str, targets: Sequence[Target]) -> None:
    """Every target answers the host as it should. Raises DemoError with those that do not."""
    found = connect(report, host, targets, RACK_PATIENCE_S)
    wrong = [f"{target} ({found[target]})" for target in targets if found[target] != target.answer]
    expect(not wrong, f"{host} should reach {', '.join(wrong)}; without that, nothing is shown about machines")


def reach_nothing(report: Report, host: str, targets: Sequence[Target]) -> None:
    """No target answers the host at all. Raises DemoError with those that do."""
    found = connect(report, host, targets, MACHINE_PATIENCE_S)
    wrong = [f"{target} ({found[target]})" for target in targets if found[target] in (OPEN, REFUSED)]
    expect(not wrong, f"{host} should not reach {', '.join(wrong)}")


def connect(report: Report, host: str, targets: Sequence[Target], patience_s: int) -> dict[Target, str]:
    """What came of a connection to each target, all at once: OPEN, REFUSED, silent, or why the host has no way."""
    argv = ["python3", "-", str(patience_s), *(target.at for target in targets)]
    program = Path(knock.__file__).read_text()
    report.say(f"  {host}$ connect to each of these, for {patience_s} s")
    outcomes = parse_outcomes(report.lab.run_in(host, argv, stdin=program, timeout_s=60).stdout)
    missing = [str(target) for target in targets if target.at not in outcomes]
    expect(not missing, f"{host} said nothing of {', '.join(missing)}")
    found = {target: outcomes[target.at] for target in targets}
    for outcome, count in Counter(found.values()).items():
        report.say(f"      {outcome}: {count} of {len(targets)}")
    return found


def parse_outcomes(said: str) -> dict[str, str]:
    """ADDRESS/PORT -> outcome, of what knock.py prints."""
    return {at: outcome for at, _, outcome in (line.partition(" ") for line in said.splitlines())}


def _uplink_node(topology: Topology) -> Node | None:
    return next((node for node in topology.nodes if any(topology.is_uplink(link) for link in node.links)), None)


def _networks(wan: Wan) -> list[str]:
    addresses = [address for link in wan.links for address in link.addresses]
    return sorted({str(ipaddress.ip_interface(address).network) for address in addresses})
