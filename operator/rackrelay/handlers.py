"""kopf: events go into the cache, and what they concern into the queue. Nothing is decided here.

Only `on.event` handlers: the other kinds write annotations and finalizers on users' objects, which GitOps tools
report as drift.
"""

import asyncio
import socket
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any

import aiohttp
import kopf

from rackrelay import names
from rackrelay.cluster.cache import object_key
from rackrelay.cluster.client import PAGE, SELECTORS, Kind
from rackrelay.cluster.endpoint import Endpoint
from rackrelay.controllers.dispatch import route
from rackrelay.controllers.state.context import Context

KEEPALIVE_IDLE_S, KEEPALIVE_INTERVAL_S, KEEPALIVE_COUNT = 2, 1, 2
USER_TIMEOUT_MS = 5000
TOKEN_MAX_AGE_S = 60.0
# How OpenSSL says so, and by which words kopf tells it from other failures.
LATE_DATA = "APPLICATION_DATA_AFTER_CLOSE_NOTIFY"


def build_registry(context: Context, endpoint: Endpoint, bursts: "asyncio.Queue[Kind]") -> kopf.OperatorRegistry:
    """The handlers of one operator. `bursts` gets a kind each time its watch lists it anew."""
    registry = kopf.OperatorRegistry()
    session = open_session(endpoint)

    @kopf.on.login(registry=registry)
    async def login(**_: Any) -> kopf.AiohttpSession:
        return kopf.AiohttpSession(server=endpoint.server, aiohttp_session=session)

    for kind in context.cache.kinds:
        _watch(registry, context, kind, bursts)
    return registry


def build_settings() -> kopf.OperatorSettings:
    """kopf's settings: nothing written or remembered, endless short retries, no half-open connections."""
    settings = kopf.OperatorSettings()
    settings.posting.enabled = False
    settings.scanning.disabled = True
    settings.networking.error_backoffs = Backoffs()
    settings.networking.request_timeout = 5
    settings.networking.connect_timeout = 1
    settings.watching.server_timeout = 300
    settings.watching.client_timeout = 305
    settings.watching.reconnect_backoff = 0.1
    settings.watching.chunk_size = PAGE
    for kind, selector in SELECTORS.items():
        settings.watching.label_selectors[_selector(kind)] = selector
    # Until then each object's worker holds the whole object.
    settings.queueing.idle_timeout = 0.1
    settings.persistence.finalizer = f"{names.GROUP}/unused"
    settings.persistence.diffbase_storage = NoDiffBase()
    settings.persistence.progress_storage = NoProgress()
    return settings


class NoDiffBase(kopf.DiffBaseStorage):
    """Remembers no last state, and does not copy each object to compare it with one."""

    def build(self, **_: Any) -> Any:
        """Nothing of an object matters."""
        return {}

    def fetch(self, **_: Any) -> None:
        """Nothing is known."""

    def store(self, **_: Any) -> None:
        """Nothing is written."""


class NoProgress(kopf.ProgressStorage):
    """Keeps no progress of handlers: ours have none."""

    def fetch(self, **_: Any) -> None:
        """There is none."""

    def store(self, **_: Any) -> None:
        """Nothing is written."""

    def purge(self, **_: Any) -> None:
        """There is nothing to remove."""

    def touch(self, **_: Any) -> None:
        """Nothing is written."""

    def clear(self, *, essence: Any) -> Any:
        """The essence as it is: nothing of ours is in it."""
        return essence


class Backoffs:
    """0.1, 0.2, 0.5, 0.5, ... without end, from the start at each iteration: kopf iterates once per request."""

    def __iter__(self) -> Any:
        yield from (0.1, 0.2)
        while True:
            yield 0.5


def open_session(endpoint: Endpoint) -> aiohttp.ClientSession:
    """The session that kopf watches with. A peer that vanished without a word is noticed within seconds."""
    connector = aiohttp.TCPConnector(limit=0, ssl=endpoint.tls(), socket_factory=_keepalive_socket)
    return aiohttp.ClientSession(connector=connector, middlewares=(BearerToken(endpoint),))


class BearerToken:
    """Adds the token to each request; a projected token is replaced every hour, so the file is read again.

    A token that the API server does not know is no reason to end: it may have lost its memory, or the file be about to
    change. Nor is a connection that ended while it still sent. For either kopf would give up its only login; a
    connection that failed in any other way it tries for ever.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._token = ""
        self._read_at = float("-inf")

    async def __call__(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        now = asyncio.get_running_loop().time()
        if now - self._read_at > TOKEN_MAX_AGE_S:
            self._token = await asyncio.to_thread(self._read)
            self._read_at = now
        request.headers["Authorization"] = f"Bearer {self._token}"
        try:
            response = await handler(request)
        except aiohttp.ClientOSError as error:
            if LATE_DATA in str(error):
                raise aiohttp.ClientConnectionError(
                    "the API server ended the connection while it still sent"
                ) from error
            raise
        if response.status == HTTPStatus.UNAUTHORIZED:
            self._read_at = float("-inf")
            response.close()
            raise aiohttp.ClientConnectionError("the API server does not accept the token (401 Unauthorized)")
        return response

    def _read(self) -> str:
        return self._endpoint.token or Path(self._endpoint.token_file).read_text().strip()


def _watch(registry: kopf.OperatorRegistry, context: Context, kind: Kind, bursts: "asyncio.Queue[Kind]") -> None:
    labels = {names.LABEL_MANAGED_BY: names.MANAGED_BY} if kind in SELECTORS else None

    @kopf.on.event(*_selector(kind), registry=registry, labels=labels, id=kind.plural)
    async def on_event(event: Mapping[str, Any], **_: Any) -> None:
        body = event["object"]
        if event["type"] == "DELETED":
            before = context.cache.remove(kind, object_key(body))
            if before is not None:
                route(context, kind, before, None)
            return
        if event["type"] is None:
            bursts.put_nowait(kind)
        changed = context.cache.upsert(kind, body)
        if changed is not None:
            route(context, kind, *changed)


def _selector(kind: Kind) -> tuple[str, str, str]:
    group, _, version = kind.prefix.removeprefix("apis/").removeprefix("api/").rpartition("/")
    return (group, version, kind.plural)


def _keepalive_socket(address: tuple[Any, ...]) -> socket.socket:
    family, kind, protocol = address[:3]
    sock = socket.socket(family, kind, protocol)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEPALIVE_IDLE_S)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, KEEPALIVE_COUNT)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, USER_TIMEOUT_MS)
    return sock
