"""An agent and an operator of neighbouring releases understand each other.

Recorded are documents of the release before. What this release writes is what that one wrote, with fields added that
its readers leave alone; so a document without them stands for what an older reader makes of it.
"""

import json
from collections.abc import Callable
from dataclasses import replace
from ipaddress import ip_address, ip_interface, ip_network
from pathlib import Path
from typing import Any

import pytest

from rackrelay.agent.checks.addresses import NodeAddress
from rackrelay.agent.checks.result import CheckResult
from rackrelay.agent.rack_loops import build_heartbeat_status
from rackrelay.agent.sessions.heard import HeardRacks
from rackrelay.agent.sessions.heartbeat import Heartbeat, Signer
from rackrelay.agent.settings import NodeValues
from rackrelay.agent.status import AgentState, build_report
from rackrelay.protocol import frames, versions
from rackrelay.protocol.agent_config import AgentConfig, parse_agent_config, write_agent_config
from rackrelay.protocol.frames import BadFrame, Beat
from rackrelay.protocol.heard_document import Cursor, parse_heard
from rackrelay.protocol.status_document import (
    AgentStatus,
    PeerObservation,
    RackInterface,
    build_status_document,
    parse_agent_status,
)
from rackrelay.protocol.versions import UnknownVersion
from rackrelay.protocol.views_document import parse_views, write_views

RECORDED = Path(__file__).parent / "recorded"
KEY, NONCE, CHALLENGE = b"agent key", "a" * 32, "b" * 32


def recorded(name: str) -> str:
    return (RECORDED / name).read_text()


def without_additions(document: Any) -> Any:
    """What a reader of the release before makes use of."""
    if isinstance(document, dict):
        return {key: without_additions(value) for key, value in document.items() if key != versions.FIELD}
    return [without_additions(value) for value in document] if isinstance(document, list) else document


def agent_state() -> AgentState:
    """What the agent of the recorded status knew."""
    state = AgentState(NodeValues("rack1", "10.0.0.1", "demo-rack-x"), ("named", "nginx", "squid"), config_hash="c1")
    state.addresses = (
        NodeAddress("prov0", "10.10.0.2", 24, carrier=True),
        NodeAddress("prov1", "fd00:20::2", 64, carrier=False),
    )
    state.wanted = {"named": "h1", "nginx": "h2"}
    state.serial, state.regions_known, state.regions_reachable = 7, 3, 2
    state.peers = [("10.10.0.0/24", "10.10.0.3", False)]
    state.rejected, state.restart_needed = {"squid": "unknown directive"}, ("rsyslogd",)
    for daemon in state.daemons:
        state.learn(daemon, CheckResult(True, running="h1" if daemon == "named" else None))
    for _ in range(2):
        state.learn("squid", CheckResult(False, "refused"))
    return state


STATUS = AgentStatus(
    (
        RackInterface("prov0", ip_interface("10.10.0.2/24")),
        RackInterface("prov1", ip_interface("fd00:20::2/64"), carrier=False),
    ),
    {"squid": "refused"},
    2,
    3,
    "c1",
    False,
    {"squid": "unknown directive"},
    ("rsyslogd",),
    (PeerObservation(ip_network("10.10.0.0/24"), ip_address("10.10.0.3"), heard=False),),
)


def test_status_is_read_and_written_as_before() -> None:
    assert parse_agent_status(json.loads(recorded("status.json"))) == STATUS
    written = build_status_document(build_report(agent_state()))
    assert without_additions(written) == json.loads(recorded("status.json"))
    assert parse_agent_status(written) == STATUS


def heard() -> bytes:
    racks = HeardRacks("life one")
    status = json.dumps(build_heartbeat_status(agent_state()), separators=(",", ":")).encode()
    racks.beat("s1", Beat("rack1", 7, status, interval_s=0.25), 0.0)
    racks.leave("s2", racks.beat("s2", Beat("rack2", None), 0.0))
    return racks.answer(0, "")


def test_what_regions_hear_is_read_and_written_as_before() -> None:
    for text in (recorded("heard.json"), heard().decode()):
        found = parse_heard(json.loads(text))
        assert (found.cursor, found.full) == (Cursor(4, "life one"), True)
        assert found.racks["rack1"].status == STATUS
        assert [(name, rack.heard, rack.serial) for name, rack in found.racks.items()] == [
            ("rack1", True, 7),
            ("rack2", False, None),
        ]
    assert without_additions(json.loads(heard())) == json.loads(recorded("heard.json"))


@pytest.mark.parametrize("kind", ["rack", "region"])
def test_agent_configuration_is_read_and_written_as_before(kind: str) -> None:
    before = recorded(f"{kind}-agent.json")
    config = parse_agent_config(before)
    assert (config.kind, config.domain, config.daemons[-1]) == (kind, "site.example", "squid")
    assert bool(config.heartbeats) == bool(config.subnets) == bool(config.regions) == (kind == "rack")
    written = write_agent_config(config)
    assert without_additions(json.loads(written)) == json.loads(before)
    assert parse_agent_config(written) == config


def test_agent_configuration_of_before_heartbeats_has_their_defaults() -> None:
    document = json.loads(recorded("rack-agent.json"))
    for field in ("heartbeats", "heartbeatMilliseconds", "heartbeatMisses", "subnets"):
        del document[field]
    config = parse_agent_config(json.dumps(document))
    assert (config.heartbeats, config.heartbeat_s, config.misses, config.subnets) == ((), 0.25, 3, ())


def test_views_are_read_and_written_as_before() -> None:
    views = parse_views(recorded("views.json"))
    assert [view.server for view in views.subnets if view.server != view.cidr]
    written = write_views(views.patterns, views.subnets)
    assert without_additions(json.loads(written)) == json.loads(recorded("views.json"))
    assert parse_views(written) == views


def test_frames_of_the_release_before_are_understood() -> None:
    hello, first, second, third, answer = recorded("frames.txt").encode().splitlines()
    assert frames.parse_hello(hello) == NONCE
    beats = [frames.parse_beat(frames.open_beat(KEY, NONCE, n, f)) for n, f in enumerate((first, second, third), 1)]
    assert beats[0] == Beat("rack1", 7, None, CHALLENGE, 0.25)
    assert beats[1].status is not None
    assert parse_agent_status(json.loads(beats[1].status)) == STATUS
    assert beats[2] == Beat("rack1", 7)
    assert frames.open_answer(KEY, NONCE + CHALLENGE, 1, answer) == 7


def test_frames_are_those_of_the_release_before_and_a_field() -> None:
    hello, *before = recorded("frames.txt").encode().splitlines()
    assert without_additions(json.loads(frames.build_hello(NONCE))) == json.loads(hello)
    status = json.dumps(build_heartbeat_status(agent_state()), separators=(",", ":")).encode()
    signer = Signer(Heartbeat("rack1", lambda: b"", serial=7, status=status), KEY, NONCE)
    signer.challenge = CHALLENGE
    for old in before[:3]:
        new = without_additions({**json.loads(signer.next()), "mac": ""})
        assert new == {**json.loads(old), "mac": ""}
        assert list(new) == list(json.loads(old)), "the region compares what comes first as bytes"
    answer = frames.sign_answer(KEY, NONCE + CHALLENGE, 1, frames.answer_prefix(7) + b"1}")
    assert answer.strip() == before[3]


READERS: dict[str, Callable[[dict[str, Any]], object]] = {
    "status.json": parse_agent_status,
    "heard.json": parse_heard,
    "rack-agent.json": lambda document: parse_agent_config(json.dumps(document)),
    "views.json": lambda document: parse_views(json.dumps(document)),
}


@pytest.mark.parametrize("name", READERS)
def test_field_of_a_later_release_is_left_alone(name: str) -> None:
    document = json.loads(recorded(name))
    assert READERS[name]({**document, "laterField": {"any": ["thing"]}}) == READERS[name](document)


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("version", [2, "1", None])
def test_version_that_cannot_be_read_is_told(name: str, version: object) -> None:
    with pytest.raises(UnknownVersion, match=r"of version .*, this release reads 1: .* upgrade the older one"):
        READERS[name]({**json.loads(recorded(name)), versions.FIELD: version})


def test_session_with_a_side_that_cannot_be_understood_ends_with_the_reason() -> None:
    with pytest.raises(BadFrame, match="the other side is of version 9"):
        frames.parse_hello(b'{"documentVersion":9,"nonce":"%s"}' % NONCE.encode())
    with pytest.raises(BadFrame, match="the other side is of version 9"):
        frames.parse_beat(b'{"node":"rack1","serial":7,"seq":1,"documentVersion":9}')


def test_pace_between_two_milliseconds_is_rounded() -> None:
    config = parse_agent_config(recorded("rack-agent.json"))
    assert isinstance(config, AgentConfig)
    assert parse_agent_config(write_agent_config(replace(config, heartbeat_s=0.1004))).heartbeat_s == 0.1
