"""The agents of all fake racks, and the region's, which says whom it hears: as little HTTP as the operator needs."""

import asyncio
import contextlib
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

from rackrelay.protocol import signing

Documents = Mapping[str, tuple[str, dict[str, Any]]]


class FakeAgents:
    """Answers by the address that was asked. `documents`: address -> (rack, status); the region's rack is empty.

    A region's /heard is what all racks say of themselves, anew whenever the zone's serial has changed; nothing that
    anybody understands when it is `deaf`.
    """

    def __init__(self, key: bytes, documents: Documents, serial: int) -> None:
        self.polls = 0
        self.deaf = False
        self._key, self._documents, self._serial = key, documents, serial
        self._changed = asyncio.Event()
        self._bodies = {address: json.dumps(document).encode() for address, (_, document) in documents.items()}

    def serve(self, serial: int) -> None:
        """The racks' name servers have this serial now."""
        self._serial = serial
        self._changed.set()
        self._changed = asyncio.Event()

    def connect(self) -> asyncio.Protocol:
        """What speaks on one connection."""
        return _Connection(self)

    async def answer(self, address: str, target: str) -> bytes:
        """The body for a request."""
        self.polls += 1
        split = urlsplit(target)
        if split.path != "/heard":
            return self._bodies[address]
        query = {name: values[-1] for name, values in parse_qs(split.query).items()}
        since, wait_s = int(query.get("since", 0)), float(query.get("wait", 0))
        if since == self._version:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), wait_s)
        return b"{}" if self.deaf else self._heard(full=since != self._version)

    def sign(self, nonce: str, body: bytes) -> str:
        """The answer's signature."""
        return signing.sign_answer(self._key, nonce, body)

    def is_signed(self, target: str, headers: Mapping[str, str]) -> bool:
        """Whether the request comes from a holder of the key."""
        time, nonce = headers.get(signing.HEADER_TIME.lower(), "0"), headers.get(signing.HEADER_NONCE.lower(), "")
        expected = signing.sign_request(self._key, target, int(time), nonce)
        return signing.matches(expected, headers.get(signing.HEADER_SIGNATURE.lower(), ""))

    @property
    def _version(self) -> int:
        return 1 + self._serial

    def _heard(self, full: bool) -> bytes:
        racks = {
            name: {"heard": True, "serial": self._serial, "status": document}
            for name, document in self._documents.values()
            if name and full
        }
        return json.dumps({"version": self._version, "epoch": "fake", "full": full, "racks": racks}).encode()


class _Connection(asyncio.Protocol):
    """One request, one answer, as an agent does."""

    def __init__(self, agents: FakeAgents) -> None:
        self._agents = agents
        self._received = b""
        self._task: asyncio.Task[None] | None = None

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._address = transport.get_extra_info("sockname")[0]

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, _ = self._received.partition(b"\r\n\r\n")
        if end:
            self._task = asyncio.get_running_loop().create_task(self._respond(head.decode("latin-1").split("\r\n")))

    async def _respond(self, lines: list[str]) -> None:
        target = lines[0].split(" ")[1]
        headers = {
            name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])
        }
        if not self._agents.is_signed(target, headers):
            self._send("401 Unauthorized", b"")
            return
        body = await self._agents.answer(self._address, target)
        signature = self._agents.sign(headers[signing.HEADER_NONCE.lower()], body)
        self._send("200 OK", body, f"{signing.HEADER_SIGNATURE}: {signature}\r\n")

    def _send(self, status: str, body: bytes, header: str = "") -> None:
        head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n{header}\r\n"
        self._transport.write(head.encode() + body)
        self._transport.close()
