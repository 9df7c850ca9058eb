"""The operator's process: `python3 -m rackrelay`."""

import asyncio
import logging
import os
import sys
from typing import Any

import aiohttp
import kopf

from rackrelay.cluster.cache import Cache
from rackrelay.cluster.client import Client, Kind
from rackrelay.cluster.endpoint import find_endpoint
from rackrelay.controllers.context import Context
from rackrelay.controllers.dispatch import reconcile
from rackrelay.controllers.evidence import EvidenceBook
from rackrelay.controllers.observe import poll_forever, probe_forever
from rackrelay.controllers.queue import Key, Queue
from rackrelay.controllers.resync import fill_cache, resync_forever
from rackrelay.errors import RackrelayError
from rackrelay.handlers import build_registry, build_settings
from rackrelay.settings import Settings, parse_settings

WORKERS = 4

logger = logging.getLogger("rackrelay")


async def run(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT. A part that fails for good ends the process: the kubelet starts it anew."""
    endpoint = await find_endpoint()
    client = Client.connect(endpoint)
    async with aiohttp.ClientSession() as agents:
        context = _build_context(settings, client, agents)
        bursts: asyncio.Queue[Kind] = asyncio.Queue()
        stop = asyncio.Event()
        tasks = [
            asyncio.create_task(_work(context, bursts), name="work"),
            asyncio.create_task(_watch(context, build_registry(context, endpoint, bursts), stop), name="watch"),
            asyncio.create_task(stop.wait(), name="stop"),
        ]
        done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        stop.set()
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
        await client.close()
        for task in done:
            task.result()


def _build_context(settings: Settings, client: Client, agents: aiohttp.ClientSession) -> Context:
    async def dispatch(key: Key) -> None:
        await reconcile(context, key)

    context = Context(
        settings=settings,
        client=client,
        cache=Cache(),
        queue=Queue(dispatch),
        book=EvidenceBook(settings.probe_misses),
        agents=agents,
    )
    return context


async def _work(context: Context, bursts: "asyncio.Queue[Kind]") -> None:
    await fill_cache(context)
    logger.info("everything has been read once; reconciling")
    async with asyncio.TaskGroup() as group:
        group.create_task(resync_forever(context, bursts))
        group.create_task(probe_forever(context))
        group.create_task(poll_forever(context))
        for _ in range(WORKERS):
            group.create_task(context.queue.work())


async def _watch(context: Context, registry: kopf.OperatorRegistry, stop: asyncio.Event) -> None:
    @kopf.on.cleanup(registry=registry)
    async def on_cleanup(**_: Any) -> None:
        # Signals reach kopf alone, which then waits 5 s for tasks that it did not start itself.
        stop.set()

    await kopf.operator(
        registry=registry,
        settings=build_settings(),
        standalone=True,
        namespaces=context.settings.region_namespaces,
        liveness_endpoint=f"http://0.0.0.0:{context.settings.health_port}/healthz",
        stop_flag=stop,
    )


class OutageFilter(logging.Filter):
    """Lets one of kopf's messages about failed requests through every ten seconds: an outage brings six a second."""

    def __init__(self) -> None:
        super().__init__()
        self._until = 0.0

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether to write the record."""
        if not record.name.startswith("kopf.") or "Request attempt" not in str(record.msg):
            return True
        if record.created < self._until:
            return False
        self._until = record.created + 10
        return True


def main() -> int:
    """Exit code 0 after a stop that was asked for, 1 after an error, 2 after settings that cannot work."""
    try:
        settings = parse_settings(os.environ)
    except RackrelayError as error:
        print(f"rackrelay: {error}", file=sys.stderr)
        return 2
    logging.basicConfig(level=settings.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    for noisy in ("kopf", "aiohttp.access"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    for handler in logging.getLogger().handlers:
        handler.addFilter(OutageFilter())
    try:
        asyncio.run(run(settings))
    except RackrelayError as error:
        print(f"rackrelay: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
