"""How often a daemon is asked, how many failures count, and that none delays another's turn."""

import asyncio
from dataclasses import replace

import pytest

from rackrelay.agent.check_loops import CheckLoop, interval_s, is_fair, misses
from rackrelay.agent.checks import askers, dns, http
from rackrelay.agent.checks.addresses import NodeAddress
from rackrelay.agent.checks.result import CheckResult, Pod
from rackrelay.agent.loops import Agent
from rackrelay.daemons.daemon import Check
from rackrelay.daemons.requests import MachinePorts, RelayToRegion, Request, ZoneSerial, ZoneSerialAtEachAddress
from rackrelay.daemons.table import DAEMONS
from rackrelay.protocol.agent_config import AgentConfig, parse_agent_config
from tests.unit.agent.test_loops import CONFIG, agent, daemons

__all__ = ["agent", "daemons"]

AGENT_CONFIG = parse_agent_config(CONFIG["agent.json"])
CHECKS = {check.name: check for daemon in DAEMONS for check in daemon.checks}
NAMED, SQUID, RELAY = (CHECKS[name] for name in ("named", "squid", "nginx relay"))


def pace(check: Check, heartbeat_s: float, allowed: int) -> tuple[float, int]:
    """Interval and misses of a check at a region's pace."""
    config = replace(AGENT_CONFIG, heartbeat_s=heartbeat_s, misses=allowed)
    return interval_s(check, config), misses(check, config)


def test_pace_is_the_regions_and_no_faster_than_a_daemon_bears() -> None:
    assert pace(NAMED, 0.25, 3) == (0.25, 3)
    assert pace(NAMED, 0.1, 3) == (0.1, 3)
    assert pace(SQUID, 0.25, 3) == (0.5, 2)
    assert pace(SQUID, 0.1, 10) == (0.5, 2)
    assert pace(SQUID, 0.4, 10) == (0.5, 8)
    assert pace(SQUID, 1.0, 4) == (1.0, 4)
    assert pace(RELAY, 0.25, 3) == (5.0, 2)


async def hang(_request: Request, _pod: Pod) -> CheckResult:
    """Never answers."""
    await asyncio.Event().wait()
    return CheckResult(True)


async def test_daemon_that_is_not_this_pods_is_not_asked(agent: Agent) -> None:
    agent.config = replace(AGENT_CONFIG, daemons=("named",))
    await CheckLoop(agent, SQUID).step()
    assert not agent.state.results


async def test_hanging_daemon_is_failing_after_its_misses_and_takes_no_longer_than_its_turns(
    agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent.config = replace(AGENT_CONFIG, heartbeat_s=0.05, misses=3)
    agent.state.daemons = agent.config.daemons
    agent.state.learn("named", CheckResult(True))
    monkeypatch.setitem(askers.ASKERS, ZoneSerial, hang)
    loop = CheckLoop(agent, NAMED)
    for failures in (1, 2, 3):
        await loop.step()
        assert loop.pause_s() < 0.05
        assert agent.state.failures["named"] == {"": failures}
        assert agent.state.misses["named"] == 3


async def test_addresses_that_machines_ask_are_those_in_subnets(agent: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Pod] = []

    async def look(_request: Request, pod: Pod) -> CheckResult:
        seen.append(pod)
        return CheckResult(True)

    agent.config = with_subnet()
    agent.state.addresses = tuple(NodeAddress("p", a, 24, carrier=True) for a in ("10.10.0.2", "192.168.0.2"))
    monkeypatch.setitem(askers.ASKERS, ZoneSerial, look)
    await CheckLoop(agent, NAMED).step()
    assert (seen[0].addresses, seen[0].regions_answer) == (("10.10.0.2",), False)


def with_subnet() -> AgentConfig:
    """AgentConfig of a rack with one Subnet."""
    text = CONFIG["agent.json"].replace('"subnets": []', '"subnets": ["10.10.0.0/24"]')
    return parse_agent_config(text)


async def test_address_at_which_named_is_deaf_is_named_unless_the_node_lost_it(monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(_config: AgentConfig, _address: str) -> int:
        raise ConnectionRefusedError("refused")

    monkeypatch.setattr(dns, "ask_serial", refuse)
    pod = Pod(AGENT_CONFIG, "127.0.0.1", 1.0, ("127.0.0.1", "192.0.2.77"))
    result = await dns.check_addresses(ZoneSerialAtEachAddress(), pod)
    assert result.failing == {"127.0.0.1": "refused"}


async def test_proxy_port_that_leads_nowhere_is_nginx_and_a_dead_squid_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    dead: set[int] = set()

    async def answer(_host: str, port: int, _question: bytes) -> bytes:
        if port in dead:
            raise ConnectionRefusedError("refused")
        return b"HTTP/1.1 403 Forbidden\r\n\r\n"

    monkeypatch.setattr(http, "ask_tcp", answer)
    for ports, faults in (
        ({8000}, {"port 8000": "refused"}),
        ({8000, 5251}, {}),
        ({5251}, {}),
        ({5248}, {"port 5248": "refused"}),
    ):
        dead = ports
        assert (await http.check_machine_ports(MachinePorts(), Pod(AGENT_CONFIG, "127.0.0.1", 1.0))).failing == faults


async def test_relay_is_nginx_only_while_every_region_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    async def close(*_args: object) -> bytes:
        return b""

    monkeypatch.setattr(http, "ask_tcp", close)
    pod = Pod(AGENT_CONFIG, "127.0.0.1", 1.0)
    assert not (await http.check_relay(RelayToRegion(), pod)).failing
    found = await http.check_relay(RelayToRegion(), replace(pod, regions_answer=True))
    assert found.failing == {"relay": "closed without an answer"}


def test_failure_that_a_busy_agent_found_does_not_count() -> None:
    assert is_fair(CheckResult(False, "no answer"), 0.5, 0.5)
    assert not is_fair(CheckResult(False, "no answer"), 0.9, 0.5)
    assert is_fair(CheckResult(True), 0.9, 0.5)
