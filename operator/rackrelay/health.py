"""What the kubelet asks: /healthz, whether the process is alive, and /readyz, whether it could lead at once."""

import asyncio
from collections.abc import Callable

from aiohttp import web

# Long enough for an answer that is under way.
SHUTDOWN_S = 1.0


async def serve_health(port: int, is_ready: Callable[[], bool]) -> None:
    """Answer until cancelled.

    Raises:
        OSError: the port is taken.
    """

    async def healthz(_: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def readyz(_: web.Request) -> web.Response:
        if is_ready():
            return web.Response(text="ok\n")
        return web.Response(status=503, text="the API server has not been read completely yet\n")

    application = web.Application()
    application.add_routes([web.get("/healthz", healthz), web.get("/readyz", readyz)])
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=SHUTDOWN_S)
    await runner.setup()
    try:
        await web.TCPSite(runner, port=port).start()
        await asyncio.Event().wait()
    finally:
        await runner.cleanup()
