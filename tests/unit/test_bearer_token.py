"""What kopf watches with says who we are, and goes on when the API server does not believe it for a while."""

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import kopf
import pytest
from aiohttp import web
from kopf._cogs.clients.api import get
from kopf._cogs.clients.auth import vault_var
from kopf._cogs.structs.credentials import Vault
from kubernetes.aio.client import Configuration

from rackrelay.cluster.endpoint import Endpoint
from rackrelay.handlers import BearerToken, build_settings

# kopf waits for another login for ever.
PATIENCE_S = 20


class Server:
    """An API server that accepts one token. `asked`: the tokens that came; `knows_after`: whom it turns away first."""

    def __init__(self) -> None:
        self.accepted = "new"
        self.asked: list[str] = []
        self.knows_after = 0

    async def answer(self, request: web.Request) -> web.Response:
        """200 for the token that counts, 401 for others."""
        token = request.headers["Authorization"].removeprefix("Bearer ")
        self.asked.append(token)
        good = token == self.accepted and len(self.asked) > self.knows_after
        return web.json_response({"good": good}, status=200 if good else 401)


@pytest.fixture
async def server() -> AsyncIterator[tuple[Server, str]]:
    """It and its address."""
    fake = Server()
    app = web.Application()
    app.router.add_get("/", fake.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield fake, f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


def endpoint(url: str, token_file: Path) -> Endpoint:
    return Endpoint(Configuration(), url, None, token_file=str(token_file))


async def ask_as_kopf(url: str, *middlewares: aiohttp.ClientMiddlewareType) -> object:
    """What kopf is answered, however often it asks."""
    async with aiohttp.ClientSession(middlewares=middlewares) as session:
        vault_var.set(Vault({"login": kopf.AiohttpSession(server=url, aiohttp_session=session)}))
        async with asyncio.timeout(PATIENCE_S):
            return await get("/", settings=build_settings(), logger=logging.getLogger("kopf"))


async def test_token_that_was_replaced_is_read_at_once_when_the_old_one_is_refused(
    server: tuple[Server, str], tmp_path: Path
) -> None:
    fake, url = server
    file = tmp_path / "token"
    file.write_text("old\n")
    async with aiohttp.ClientSession(middlewares=(BearerToken(endpoint(url, file)),)) as session:
        with pytest.raises(aiohttp.ClientConnectionError, match="401 Unauthorized"):
            await session.get(url)
        file.write_text("new\n")
        async with session.get(url) as response:
            assert response.status == 200
    assert fake.asked == ["old", "new"]


async def test_kopf_asks_again_until_the_api_server_knows_the_token(server: tuple[Server, str], tmp_path: Path) -> None:
    fake, url = server
    fake.knows_after = 3
    file = tmp_path / "token"
    file.write_text("new")
    assert await ask_as_kopf(url, BearerToken(endpoint(url, file))) == {"good": True}
    assert fake.asked == ["new"] * 4


async def test_kopf_asks_again_when_the_connection_ended_while_the_api_server_still_sent(
    server: tuple[Server, str], tmp_path: Path
) -> None:
    fake, url = server
    file = tmp_path / "token"
    file.write_text("new")
    words = "[SSL: APPLICATION_DATA_AFTER_CLOSE_NOTIFY] application data after close notify (_ssl.c:2706)"
    # aiohttp asks a second time by itself.
    failures = iter([words] * 3)

    async def fail(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        for words in failures:
            raise aiohttp.ClientOSError(1, words)
        return await handler(request)

    assert await ask_as_kopf(url, BearerToken(endpoint(url, file)), fail) == {"good": True}
    assert fake.asked == ["new"]
