"""The operator's process: `python3 -m rackrelay`."""

import asyncio
import gc
import logging
import os
import signal
import sys
from functools import partial
from typing import Any

import aiohttp
import kopf

from rackrelay.cluster.cache import Cache
from rackrelay.cluster.client import Client, Kind
from rackrelay.cluster.endpoint import find_endpoint
from rackrelay.cluster.lease import Alone, Lease
from rackrelay.controllers.dispatch import reconcile
from rackrelay.controllers.health.rack_health import RackHealth
from rackrelay.controllers.kinds import KINDS, parsers
from rackrelay.controllers.leadership import Election, lead_forever, learn_keys_forever
from rackrelay.controllers.loops.listen import listen_forever
from rackrelay.controllers.loops.poll import poll_forever
from rackrelay.controllers.loops.probing import probe_forever
from rackrelay.controllers.loops.resync import fill_cache, resync_forever
from rackrelay.controllers.metrics import build_metrics
from rackrelay.controllers.queue import Queue
from rackrelay.controllers.state.context import Context
from rackrelay.controllers.work import Key
from rackrelay.errors import RackrelayError
from rackrelay.handlers import build_registry, build_settings
from rackrelay.process.http import serve_health, serve_metrics
from rackrelay.process.settings import Settings, parse_settings

logger = logging.getLogger("rackrelay")


async def run(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT. A part that fails for good ends the process: the kubelet starts it anew."""
    endpoint = await find_endpoint()
    unfenced = Client.connect(endpoint)
    election: Election = Alone()
    if settings.lease_namespace:
        election = Lease(unfenced, settings.lease_namespace, settings.lease_name)
    client = Client.connect(endpoint, election.fence)
    async with aiohttp.ClientSession() as agents:
        context = _build_context(settings, client, agents)
        bursts: asyncio.Queue[Kind] = asyncio.Queue()
        full, started, stop = asyncio.Event(), asyncio.Event(), asyncio.Event()
        registry = build_registry(context, endpoint, bursts)
        work = asyncio.create_task(_work(context, election, bursts, full), name="work")
        others = [
            asyncio.create_task(_watch(context, registry, started, stop), name="watch"),
            asyncio.create_task(serve_health(settings.health_port, full.is_set), name="health"),
            asyncio.create_task(_wait_for_signal(started, stop), name="stop"),
        ]
        if settings.metrics_port is not None:
            metrics = serve_metrics(settings.metrics_port, partial(build_metrics, context))
            others.append(asyncio.create_task(metrics, name="metrics"))
        done, _ = await asyncio.wait([work, *others], return_when=asyncio.FIRST_COMPLETED)
        # Work first: it gives the Lease back, which another operator waits for, while kopf takes its time.
        await _cancel(work)
        asyncio.get_running_loop().set_exception_handler(ignore_cut_off_generators)
        stop.set()
        await _cancel(*others)
        await client.close()
        await unfenced.close()
        for task in done:
            task.result()


def ignore_cut_off_generators(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """What the loop does about an exception that nobody awaited, at the end.

    kopf's watchers are cancelled in the middle of an event, and may complain while their generators are closed.
    """
    if "asyncgen" not in context:
        loop.default_exception_handler(context)


async def _cancel(*tasks: "asyncio.Task[None]") -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _build_context(settings: Settings, client: Client, agents: aiohttp.ClientSession) -> Context:
    async def dispatch(key: Key) -> None:
        await reconcile(context, key)

    context = Context(
        settings=settings,
        client=client,
        cache=Cache(parsers()),
        queue=Queue(dispatch),
        health=RackHealth(),
        agents=agents,
        kinds=KINDS,
    )
    return context


async def _work(context: Context, election: Election, bursts: "asyncio.Queue[Kind]", full: asyncio.Event) -> None:
    await fill_cache(context)
    # Most of what is there now stays: to look through it for garbage again and again would hold up probes.
    gc.collect()
    gc.freeze()
    full.set()
    logger.info("everything has been read once")
    async with asyncio.TaskGroup() as group:
        group.create_task(resync_forever(context, bursts))
        group.create_task(probe_forever(context))
        group.create_task(poll_forever(context))
        group.create_task(listen_forever(context))
        group.create_task(learn_keys_forever(context))
        group.create_task(lead_forever(context, election))


async def _watch(
    context: Context, registry: kopf.OperatorRegistry, started: asyncio.Event, stop: asyncio.Event
) -> None:
    await kopf.operator(
        registry=registry,
        settings=build_settings(),
        standalone=True,
        namespaces=context.settings.region_namespaces,
        ready_flag=started,
        stop_flag=stop,
    )


async def _wait_for_signal(started: asyncio.Event, stop: asyncio.Event) -> None:
    # kopf takes the signals for itself when it starts, and would wait 5 s for tasks that are not its own.
    await started.wait()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await stop.wait()


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
    # What was imported stays, too.
    gc.freeze()
    failed = False
    try:
        asyncio.run(run(settings))
    except* RackrelayError as found:
        # One that a part raised comes in a group.
        failed = True
        for reason in found.exceptions:
            print(f"rackrelay: {reason}", file=sys.stderr)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
