"""What the kubelet hears."""

import asyncio
import socket

import aiohttp
import pytest

from rackrelay.health import serve_health


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
