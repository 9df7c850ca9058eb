"""What others ask of the operator: /healthz, whether the process is alive, /readyz, whether it could lead at once, and
/metrics on a port of its own."""

import asyncio
from collections.abc import Callable

from aiohttp import web
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4

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

    await _serve(port, web.get("/healthz", healthz), web.get("/readyz", readyz))


async def serve_metrics(port: int, build: Callable[[], bytes]) -> None:
    """Answer until cancelled; `build` gives the text of all metrics.

    Raises:
        OSError: the port is taken.
    """

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=build(), headers={"Content-Type": CONTENT_TYPE})

    await _serve(port, web.get("/metrics", metrics))


async def _serve(port: int, *routes: web.RouteDef) -> None:
    application = web.Application()
    application.add_routes(routes)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=SHUTDOWN_S)
    await runner.setup()
    try:
        await web.TCPSite(runner, port=port).start()
        await asyncio.Event().wait()
    finally:
        await runner.cleanup()
