"""What a region says it hears, by an invented clock."""

import asyncio
import json
from typing import Any

import pytest

from rackrelay.agent.sessions.heard import HeardRacks
from rackrelay.protocol.frames import Beat
from rackrelay.protocol.heard_document import Cursor, HeardRack, parse_heard, read_heard_query

PACE = (0.25, 3)


def racks_of(heard: HeardRacks, since: int = 0, epoch: str = "e1") -> dict[str, Any]:
    """The racks of an answer."""
    racks: dict[str, Any] = json.loads(heard.answer(since, epoch))["racks"]
    return racks


def hear(*nodes: str) -> tuple[HeardRacks, dict[str, object]]:
    """Racks that were heard once at time 0, and their sessions."""
    heard = HeardRacks("e1")
    heard.sweep(0.0, *PACE)
    sessions = {node: object() for node in nodes}
    for node, session in sessions.items():
        heard.beat(session, Beat(node, 7, b"{}"), 0.0)
    return heard, sessions


def sweep_until(heard: HeardRacks, end: float, start: float = 0.0) -> None:
    """Sweep as the agent does."""
    for step in range(int((end - start) / 0.05) + 1):
        heard.sweep(start + step * 0.05, *PACE)


def test_silent_rack_is_not_heard_and_says_so_once() -> None:
    heard, _ = hear("rack1")
    version = heard.version
    sweep_until(heard, 0.7)
    assert heard.version == version
    sweep_until(heard, 1.0, 0.75)
    assert racks_of(heard, version) == {"rack1": {"heard": False, "serial": 7, "status": {}}}
    assert heard.version == version + 1


@pytest.mark.parametrize(
    ("own", "said_s", "heard_until"),
    [
        pytest.param((0.25, 3), None, 0.75, id="a rack of the release before says no pace"),
        pytest.param((0.25, 3), 1.0, 3.0, id="the rack knows of a slower pace already"),
        pytest.param((1.0, 3), 0.25, 3.0, id="the region knows of a slower pace already"),
        pytest.param((1.0, 3), 0.1, 3.0, id="the rack knows of a faster pace already"),
        pytest.param((0.1, 2), 1.0, 2.0, id="the region knows of a faster pace already"),
        pytest.param((0.1, 2), 0.1, 0.2, id="both are fast"),
    ],
)
def test_of_two_paces_the_slower_counts(own: tuple[float, int], said_s: float | None, heard_until: float) -> None:
    heard = HeardRacks("e1")
    heard.beat(object(), Beat("rack1", 7, interval_s=said_s), 0.0)
    for step in range(int(heard_until * 100) + 1):
        heard.sweep(step / 100, *own)
    assert racks_of(heard)["rack1"]["heard"]
    for step in range(2):
        heard.sweep(heard_until + 0.01 * (step + 1), *own)
    assert not racks_of(heard)["rack1"]["heard"]


def test_pace_is_remembered_until_another_is_said() -> None:
    heard = HeardRacks("e1")
    session = object()
    for interval_s, expected in ((5.0, 5.0), (None, 5.0), (0.1, 0.1)):
        assert heard.beat(session, Beat("rack1", 7, interval_s=interval_s), 0.0).interval_s == expected


def test_stall_of_the_region_itself_is_nobodys_silence() -> None:
    heard, sessions = hear("rack1")
    heard.sweep(30.0, *PACE)
    assert racks_of(heard)["rack1"]["heard"]
    heard.beat(sessions["rack1"], Beat("rack1", 7), 30.0)
    heard.sweep(30.05, *PACE)
    assert racks_of(heard)["rack1"]["heard"]


def test_region_that_stalls_all_the_time_notices_a_silent_rack_all_the_same() -> None:
    heard, _ = hear("rack1")
    for step in range(1, 5):
        heard.sweep(step * 2.0, *PACE)
    assert not racks_of(heard)["rack1"]["heard"]


def test_only_changes_count() -> None:
    heard, sessions = hear("rack1", "rack2")
    version = heard.version
    heard.beat(sessions["rack1"], Beat("rack1", 7), 0.2)
    heard.beat(sessions["rack1"], Beat("rack1", 7, b"{}"), 0.4)
    assert heard.version == version
    heard.beat(sessions["rack1"], Beat("rack1", 8), 0.6)
    assert racks_of(heard, version) == {"rack1": {"heard": True, "serial": 8, "status": {}}}


def test_session_that_was_replaced_ends_without_meaning() -> None:
    heard, sessions = hear("rack1")
    rack = heard.racks["rack1"]
    later = object()
    heard.beat(later, Beat("rack1", 7), 1.0)
    heard.leave(sessions["rack1"], rack)
    assert racks_of(heard)["rack1"]["heard"]
    heard.leave(later, rack)
    assert not racks_of(heard)["rack1"]["heard"]


def test_all_racks_for_who_does_not_know_this_life_of_the_agent() -> None:
    heard, _ = hear("rack1", "rack2")
    for since, epoch in ((0, "e1"), (heard.version, "e0"), (heard.version + 1, "e1")):
        document = json.loads(heard.answer(since, epoch))
        assert document["full"]
        assert sorted(document["racks"]) == ["rack1", "rack2"]
    assert not json.loads(heard.answer(heard.version, "e1"))["full"]


def test_operator_reads_what_the_region_writes() -> None:
    heard, _ = hear('rack"1')
    heard.beat(object(), Beat("rack2", None), 0.1)
    parsed = parse_heard(json.loads(heard.answer(0, "")))
    assert parsed.cursor == Cursor(heard.version, "e1")
    assert parsed.racks == {'rack"1': HeardRack(True, 7, None), "rack2": HeardRack(True, None, None)}


async def test_long_poll_answers_as_soon_as_something_changes() -> None:
    heard, sessions = hear("rack1")
    version = heard.version
    polls = [asyncio.create_task(heard.wait({"since": str(version), "epoch": "e1", "wait": "2"})) for _ in range(3)]
    await asyncio.sleep(0.05)
    assert not any(poll.done() for poll in polls)
    heard.leave(sessions["rack1"], heard.racks["rack1"])
    async with asyncio.timeout(1.0):
        answers = [json.loads(answer) for answer in await asyncio.gather(*polls)]
    assert [a["racks"]["rack1"]["heard"] for a in answers] == [False] * 3


async def test_long_poll_without_news_ends_with_its_time() -> None:
    heard, _ = hear("rack1")
    answer = json.loads(await heard.wait({"since": str(heard.version), "epoch": "e1", "wait": "0.01"}))
    assert (answer["version"], answer["epoch"], answer["full"], answer["racks"]) == (heard.version, "e1", False, {})


async def test_who_is_behind_does_not_wait() -> None:
    heard, _ = hear("rack1")
    async with asyncio.timeout(1.0):
        for query in ({}, {"since": "0", "wait": "2"}, {"since": "1", "epoch": "e1", "wait": "2"}):
            assert b"rack1" in await heard.wait(query)


@pytest.mark.parametrize("query", [{"since": "x"}, {"since": "-1"}, {"since": "²"}, {"wait": "x"}, {"wait": "nan"}])
def test_queries_without_sense_are_refused(query: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"no version|no time|could not convert"):
        read_heard_query(query)


def test_nobody_waits_for_ever() -> None:
    assert read_heard_query({"wait": "1e9"})[1] == 2.0
