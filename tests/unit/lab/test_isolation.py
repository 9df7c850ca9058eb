"""Which connections show that a machine is shut in, and which show nothing."""

import io
import socket
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import pytest

from lab.cluster import Lab
from lab.demo.isolation import (
    REFUSED,
    Target,
    Way,
    connect,
    find_ways,
    parse_outcomes,
    plan_routes,
    reach_all,
    reach_nothing,
    tcp_ports,
)
from lab.demo.knock import OPEN, SILENT, knock
from lab.demo.report import DemoError, Report
from lab.topology import DEFAULT, load_topology

TOPOLOGY = load_topology(DEFAULT)
M1, M2 = TOPOLOGY.machine("m1"), TOPOLOGY.machine("m2")
API = Target("API server", "10.96.0.1", 443)
NODE = Target("nodes over IPv6", "fd00:30::11", 10250, REFUSED)


@dataclass
class FakeHost:
    """Says what came of its connections."""

    said: str

    def run_in(
        self, host: str, argv: Sequence[str], stdin: str, timeout_s: float | None = None
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(argv, 0, self.said, "")


def hears(*lines: str) -> Report:
    """A report on a lab where a host's connections came out so."""
    return Report(cast(Lab, FakeHost("\n".join(lines))), io.StringIO())


OPEN_API, SILENT_API, REFUSED_API = "10.96.0.1/443 open", "10.96.0.1/443 silent", "10.96.0.1/443 connection refused"
REFUSED_NODE, NO_WAY_TO_NODE = "fd00:30::11/10250 connection refused", "fd00:30::11/10250 network is unreachable"


class FakeRemote:
    """Runs commands here, where there are sockets to connect to."""

    def run_in(
        self, host: str, argv: Sequence[str], stdin: str, timeout_s: float | None = None
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(argv, input=stdin, stdout=subprocess.PIPE, text=True, timeout=timeout_s)


def test_connections_are_real() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening, socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        accepts, refuses = (Target("", "127.0.0.1", found.getsockname()[1]) for found in (listening, closed))
        report = Report(cast(Lab, FakeRemote()), io.StringIO())
        assert connect(report, "m1", [accepts, refuses], 5) == {accepts: OPEN, refuses: REFUSED}


def test_who_does_not_answer_is_silent() -> None:
    # A server that accepts nobody answers until its backlog is full.
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server:
        place = "/".join(str(part) for part in server.getsockname())
        assert [knock(place, 0.1) for _ in range(3)][-1] == SILENT


def test_outcomes_are_told_apart() -> None:
    said = "\n".join([OPEN_API, REFUSED_NODE, "a/1 silent", "b/2 network is unreachable"])
    outcomes = {"10.96.0.1/443": OPEN, "fd00:30::11/10250": REFUSED, "a/1": SILENT, "b/2": "network is unreachable"}
    assert parse_outcomes(said) == outcomes


def test_what_was_asked_and_came_back_is_printed() -> None:
    report = hears(OPEN_API, REFUSED_NODE)
    assert connect(report, "rack1", [API, NODE], 5) == {API: OPEN, NODE: REFUSED}
    assert isinstance(report.out, io.StringIO)
    assert report.out.getvalue().splitlines() == [
        "  rack1$ connect to each of these, for 5 s",
        "      open: 1 of 2",
        "      connection refused: 1 of 2",
    ]


def test_a_rack_has_to_reach_everything() -> None:
    reach_all(hears(OPEN_API, REFUSED_NODE), "rack1", [API, NODE])
    # A port where somebody should listen.
    with pytest.raises(DemoError, match=r"rack1 should reach 10.96.0.1:443 \(connection refused\)"):
        reach_all(hears(REFUSED_API, REFUSED_NODE), "rack1", [API, NODE])
    with pytest.raises(DemoError, match=r"rack1 should reach \[fd00:30::11\]:10250 \(network is unreachable\)"):
        reach_all(hears(OPEN_API, NO_WAY_TO_NODE), "rack1", [API, NODE])


def test_a_machine_may_get_no_answer_at_all() -> None:
    reach_nothing(hears(SILENT_API, NO_WAY_TO_NODE), "m1", [API, NODE])
    with pytest.raises(DemoError, match=r"^m1 should not reach 10.96.0.1:443 \(open\)$"):
        reach_nothing(hears(OPEN_API, NO_WAY_TO_NODE), "m1", [API, NODE])
    # Who refuses was reached.
    with pytest.raises(DemoError, match=r"^m1 should not reach \[fd00:30::11\]:10250 \(connection refused\)$"):
        reach_nothing(hears(SILENT_API, REFUSED_NODE), "m1", [API, NODE])


def test_a_probe_that_says_nothing_shows_nothing() -> None:
    with pytest.raises(DemoError, match=r"m1 said nothing of 10.96.0.1:443"):
        reach_nothing(hears(NO_WAY_TO_NODE), "m1", [API, NODE])


def test_every_node_on_the_machines_network_is_a_way_in_both_families() -> None:
    ways = {node.name: find_ways(node, M1) for node in TOPOLOGY.nodes}
    assert {name for name, found in ways.items() if found} == {"rack1", "rack2"}
    assert ways["rack2"] == [
        Way("10.10.0.0/24", "10.10.0.3", "172.30.0.14"),
        Way("fd00:10::/64", "fd00:10::3", "fd00:30::14"),
    ]
    assert [node.name for node in TOPOLOGY.nodes if find_ways(node, M2)] == ["rack2", "rack3", "rack4"]


def test_nothing_but_rules_stands_between() -> None:
    rack1 = TOPOLOGY.node("rack1")
    back = ["10.10.0.0/24 via 172.30.0.13", "fd00:10::/64 via fd00:30::13"]
    assert plan_routes(TOPOLOGY, M1, rack1, find_ways(rack1, M1)) == {
        "m1": ["0.0.0.0/0 via 10.10.0.2", "::/0 via fd00:10::2"],
        "api": back[:1],
        "region1": back,
        "region2": back,
        "rack3": back,
        "rack4": back,
        "rack1": ["203.0.113.0/24 via 172.30.0.11"],
    }


def test_datagrams_are_not_connections() -> None:
    ports: list[dict[str, object]] = [{"port": 53, "protocol": "UDP"}, {"port": 5240, "protocol": "TCP"}]
    assert tcp_ports({"ports": ports}) == [5240]
