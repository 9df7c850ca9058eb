"""What the kubelet hears."""

import asyncio
import socket

import aiohttp
import pytest

from rackrelay.process.http import CONTENT_TYPE, serve_health, serve_metrics


async def ask(port: int, path: str) -> int:
    async with aiohttp.ClientSession() as session:
        async with asyncio.timeout(5):
            while True:
                try:
                    async with session.get(f"http://127.0.0.1:{port}{path}") as response:
                        return response.status
                except aiohttp.ClientConnectionError:
                    await asyncio.sleep(0.01)


async def test_alive_at_once_and_ready_when_everything_was_read() -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    full = asyncio.Event()
    serving = asyncio.create_task(serve_health(port, full.is_set))
    assert (await ask(port, "/healthz"), await ask(port, "/readyz")) == (200, 503)
    full.set()
    assert (await ask(port, "/healthz"), await ask(port, "/readyz")) == (200, 200)
    with pytest.raises(OSError, match=str(port)):
        await serve_health(port, full.is_set)
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await serving


async def test_metrics_are_built_anew_for_each_request(unused_tcp_port: int) -> None:
    texts = iter(("first 1\n", 'second{name="größe"} 2\n'))
    serving = asyncio.create_task(serve_metrics(unused_tcp_port, lambda: next(texts).encode()))
    assert await ask(unused_tcp_port, "/healthz") == 404
    async with aiohttp.ClientSession() as session:
        for expected in ("first 1\n", 'second{name="größe"} 2\n'):
            async with session.get(f"http://127.0.0.1:{unused_tcp_port}/metrics") as response:
                assert response.headers["Content-Type"] == CONTENT_TYPE
                assert await response.text() == expected
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await serving
