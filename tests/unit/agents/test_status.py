"""Agent status is asked for with a signature, and believed with one."""

import time
from collections.abc import AsyncIterator, Iterator

import aiohttp
import pytest

from rackrelay import names
from rackrelay.agents.requests import build_url
from rackrelay.agents.status import fetch_status
from rackrelay.errors import NotReady, Unreadable
from rackrelay.protocol.status_document import parse_agent_status
from tests.fakes.agent import FakeAgent, build_document

ADDRESS, KEY = "127.55.0.1", b"agent key"
DOCUMENT = build_document("10.10.0.2/24", config_hash="c0ffee")


@pytest.fixture
def agent(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeAgent]:
    with FakeAgent(DOCUMENT, KEY, ADDRESS, port=0) as fake:
        monkeypatch.setattr(names, "PORT_AGENT", fake.port)
        yield fake


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def test_status(agent: FakeAgent, session: aiohttp.ClientSession) -> None:
    assert await fetch_status(session, ADDRESS, KEY, time.time) == parse_agent_status(DOCUMENT)
    assert agent.polls == 1


async def test_agent_with_another_key(agent: FakeAgent, session: aiohttp.ClientSession) -> None:
    with pytest.raises(NotReady, match="401"):
        await fetch_status(session, ADDRESS, b"another key", time.time)
    assert agent.polls == 0


async def test_answer_that_was_changed_on_the_way(agent: FakeAgent, session: aiohttp.ClientSession) -> None:
    agent.damage = b" "
    with pytest.raises(NotReady, match="not signed"):
        await fetch_status(session, ADDRESS, KEY, time.time)


async def test_document_of_another_form(agent: FakeAgent, session: aiohttp.ClientSession) -> None:
    agent.document = {"addresses": []}
    with pytest.raises(Unreadable, match="unexpected status document"):
        await fetch_status(session, ADDRESS, KEY, time.time)


async def test_document_of_a_release_that_cannot_be_read(agent: FakeAgent, session: aiohttp.ClientSession) -> None:
    agent.document = {**DOCUMENT, "documentVersion": 9}
    with pytest.raises(Unreadable, match="the agent's status is of version 9, this release reads 1"):
        await fetch_status(session, ADDRESS, KEY, time.time)


async def test_nobody_listens(agent: FakeAgent, session: aiohttp.ClientSession) -> None:
    agent.close()
    with pytest.raises(NotReady, match=ADDRESS):
        await fetch_status(session, ADDRESS, KEY, time.time)


def test_url_of_both_families() -> None:
    assert build_url("192.0.2.1", "/status") == "http://192.0.2.1:5249/status"
    assert build_url("fd00::1", "/status") == "http://[fd00::1]:5249/status"
