"""Port 5249: the status document for who holds the region's agent key, 401 for everybody else.

Hand-written on asyncio streams: one request, one answer, one connection. A web framework would double the memory that
the agent takes on every node.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rackrelay import names, signing
from rackrelay.agent.files import read_file

PATH = "/status"
REQUEST_TIMEOUT_S = 3.0
REQUEST_LIMIT_BYTES = 8192
CONNECTIONS_LIMIT = 64


class StatusServer:
    """Answers requests with what `document` gives. `key_folder` is the mounted Secret; without it nobody gets in."""

    def __init__(self, key_folder: Path, document: Callable[[], bytes], clock: Callable[[], float] = time.time) -> None:
        self._key_folder = key_folder
        self._document = document
        self._clock = clock
        self._waiting: dict[asyncio.Task[Any] | None, None] = {}

    async def serve(self, host: str, port: int = names.PORT_AGENT) -> None:
        """Answer on an address until cancelled.

        Raises:
            OSError: the address is not this node's yet, or the port is taken.
        """
        server = await asyncio.start_server(self._serve, host, port, limit=REQUEST_LIMIT_BYTES)
        async with server:
            await server.serve_forever()

    def answer(self, request: bytes) -> bytes:
        """The HTTP answer to the head of an HTTP request."""
        lines = request.decode("latin-1").split("\r\n")
        headers = dict(_header(line) for line in lines[1:] if ":" in line)
        nonce = headers.get(signing.HEADER_NONCE.lower(), "")
        key = (read_file(self._key_folder / names.KEY_AGENT) or "").encode()
        if not key or not self._is_signed(key, headers):
            return _response("401 Unauthorized", b"")
        if lines[0].split(" ")[:2] != ["GET", PATH]:
            return _response("404 Not Found", b"")
        body = self._document()
        return _response("200 OK", body, (signing.HEADER_SIGNATURE, signing.sign_answer(key, nonce, body)))

    def _is_signed(self, key: bytes, headers: Mapping[str, str]) -> bool:
        signed_at = headers.get(signing.HEADER_TIME.lower(), "")
        # The length keeps int() from being fed a megabyte of digits.
        if not signed_at.isascii() or not signed_at.isdigit() or len(signed_at) > 12:
            return False
        nonce = headers.get(signing.HEADER_NONCE.lower(), "")
        expected = signing.sign_request(key, PATH, int(signed_at), nonce)
        given = headers.get(signing.HEADER_SIGNATURE.lower(), "")
        return signing.matches(expected, given) and signing.is_fresh(int(signed_at), int(self._clock()))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        self._waiting[task] = None
        self._drop_oldest()
        try:
            async with asyncio.timeout(REQUEST_TIMEOUT_S):
                writer.write(self.answer(await reader.readuntil(b"\r\n\r\n")))
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # Who asks badly or too slowly gets no answer.
        finally:
            self._waiting.pop(task, None)
            writer.close()

    def _drop_oldest(self) -> None:
        """Who holds connections open without asking makes room for who asks."""
        if len(self._waiting) > CONNECTIONS_LIMIT:
            oldest = next(iter(self._waiting))
            self._waiting.pop(oldest)
            if oldest is not None:
                oldest.cancel()


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
