"""The long poll of a region is signed both ways and understood, whatever one rack among many says."""

import time
from collections.abc import AsyncIterator, Iterator

import aiohttp
import pytest

from rackrelay import names
from rackrelay.agents.heartbeats import fetch_heard
from rackrelay.agents.requests import Asker
from rackrelay.errors import NotReady
from rackrelay.protocol.heard_document import Cursor, Heard, HeardRack
from rackrelay.protocol.status_document import parse_agent_status
from tests.fakes.agent import FakeAgent, build_document

ADDRESS, KEY = "127.55.0.3", b"agent key"
STATUS = build_document("10.10.0.2/24")
DOCUMENT = {
    "version": 17,
    "epoch": "e1",
    "full": True,
    "racks": {
        "rack1": {"heard": True, "serial": 7, "status": STATUS},
        "rack2": {"heard": False, "serial": None, "status": None},
        "rack3": {"heard": True, "serial": 7, "status": {"of": "another release"}},
        "rack4": {"heard": True, "serial": 7, "status": {**STATUS, "config": 7}},
    },
}


@pytest.fixture
def agent(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeAgent]:
    with FakeAgent(DOCUMENT, KEY, ADDRESS, port=0) as fake:
        monkeypatch.setattr(names, "PORT_AGENT", fake.port)
        yield fake


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def test_heard(agent: FakeAgent, session: aiohttp.ClientSession) -> None:
    heard = await fetch_heard(Asker(session, KEY, time.time), ADDRESS, Cursor(3, "e1"), 0.5)
    assert heard.cursor == Cursor(17, "e1")
    assert heard == Heard(
        17,
        "e1",
        True,
        {
            "rack1": HeardRack(True, 7, parse_agent_status(STATUS)),
            "rack2": HeardRack(False),
            "rack3": HeardRack(True, 7),
            "rack4": HeardRack(True, 7),
        },
    )


async def test_region_with_another_key(agent: FakeAgent, session: aiohttp.ClientSession) -> None:
    with pytest.raises(NotReady, match="401"):
        await fetch_heard(Asker(session, b"another", time.time), ADDRESS, Cursor(), 0.5)


async def test_answer_that_was_changed_on_the_way(agent: FakeAgent, session: aiohttp.ClientSession) -> None:
    agent.damage = b" "
    with pytest.raises(NotReady, match="not signed"):
        await fetch_heard(Asker(session, KEY, time.time), ADDRESS, Cursor(), 0.5)


@pytest.mark.parametrize("document", [{}, {**DOCUMENT, "racks": []}, {**DOCUMENT, "racks": {"rack1": 7}}])
async def test_document_of_another_form(
    agent: FakeAgent, session: aiohttp.ClientSession, document: dict[str, object]
) -> None:
    agent.document = document
    with pytest.raises(NotReady, match="unexpected answer"):
        await fetch_heard(Asker(session, KEY, time.time), ADDRESS, Cursor(), 0.5)
