"""Port 5249: documents for who holds the region's agent key, 401 for everybody else.

/status is this pod's own; a region's /heard is what it hears of racks, and may take its time to answer.

Hand-written on asyncio streams: one request, one answer, one connection. aiohttp's server would add a third to the
memory that the agent takes on every node.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from rackrelay import names
from rackrelay.agent.files import read_agent_key
from rackrelay.protocol import signing

REQUEST_TIMEOUT_S = 3.0
REQUEST_LIMIT_BYTES = 8192
CONNECTIONS_LIMIT = 64

Route = Callable[[Mapping[str, str]], Awaitable[bytes]]


@dataclass(frozen=True)
class Request:
    """The head of a request. `target` is the path with its query, as it was signed."""

    method: str
    target: str
    headers: Mapping[str, str]

    @property
    def nonce(self) -> str:
        """What binds the answer to this request."""
        return self.headers.get(signing.HEADER_NONCE.lower(), "")

    @property
    def path(self) -> str:
        """The path alone."""
        return self.target.partition("?")[0]

    @property
    def query(self) -> dict[str, str]:
        """The query's fields; of those given twice the last."""
        return dict(parse_qsl(self.target.partition("?")[2]))


class StatusServer:
    """Answers by `routes`: path -> document for a query.

    `key_folder` is the mounted Secret; without it nobody gets in.
    """

    def __init__(self, key_folder: Path, routes: Mapping[str, Route], clock: Callable[[], float] = time.time) -> None:
        self._key_folder = key_folder
        self._routes = routes
        self._clock = clock
        self._waiting: dict[asyncio.Task[Any] | None, None] = {}
        self._answering: dict[asyncio.Task[Any] | None, None] = {}

    async def serve(self, host: str, port: int = names.PORT_AGENT) -> None:
        """Answer on an address until cancelled.

        Raises:
            OSError: the address is not this node's yet, or the port is taken.
        """
        server = await asyncio.start_server(self._serve, host, port, limit=REQUEST_LIMIT_BYTES)
        async with server:
            await server.serve_forever()

    async def answer(self, head: bytes) -> bytes:
        """The HTTP answer to the head of an HTTP request."""
        request = _parse(head)
        key = read_agent_key(self._key_folder)
        if not key or not self._is_signed(key, request):
            return _response("401 Unauthorized", b"")
        route = self._routes.get(request.path)
        if request.method != "GET" or route is None:
            return _response("404 Not Found", b"")
        self._move_to(self._answering)
        try:
            body = await route(request.query)
        except ValueError:
            return _response("400 Bad Request", b"")
        return _response("200 OK", body, (signing.HEADER_SIGNATURE, signing.sign_answer(key, request.nonce, body)))

    def _is_signed(self, key: bytes, request: Request) -> bool:
        signed_at = request.headers.get(signing.HEADER_TIME.lower(), "")
        # The length keeps int() from being fed a megabyte of digits.
        if not signed_at.isascii() or not signed_at.isdigit() or len(signed_at) > 12:
            return False
        expected = signing.sign_request(key, request.target, int(signed_at), request.nonce)
        given = request.headers.get(signing.HEADER_SIGNATURE.lower(), "")
        return signing.matches(expected, given) and signing.is_fresh(int(signed_at), int(self._clock()))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._move_to(self._waiting)
        try:
            async with asyncio.timeout(REQUEST_TIMEOUT_S):
                head = await reader.readuntil(b"\r\n\r\n")
            answer = await self.answer(head)
            async with asyncio.timeout(REQUEST_TIMEOUT_S):
                writer.write(answer)
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # Who asks badly or too slowly gets no answer.
        finally:
            task = asyncio.current_task()
            self._waiting.pop(task, None)
            self._answering.pop(task, None)
            writer.close()

    def _move_to(self, crowd: dict[asyncio.Task[Any] | None, None]) -> None:
        """Those who proved who they are make room for each other alone; so do those who hold connections open."""
        task = asyncio.current_task()
        self._waiting.pop(task, None)
        crowd[task] = None
        if len(crowd) > CONNECTIONS_LIMIT:
            oldest = next(iter(crowd))
            crowd.pop(oldest)
            if oldest is not None:
                oldest.cancel()


def _parse(head: bytes) -> Request:
    lines = head.decode("latin-1").split("\r\n")
    method, target = (*lines[0].split(" "), "", "")[:2]
    return Request(method, target, dict(_header(line) for line in lines[1:] if ":" in line))


def _header(line: str) -> tuple[str, str]:
    name, _, value = line.partition(":")
    return name.strip().lower(), value.strip()


def _response(status: str, body: bytes, *headers: tuple[str, str]) -> bytes:
    lines = [
        f"HTTP/1.1 {status}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        "Connection: close",
        *(f"{name}: {value}" for name, value in headers),
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
