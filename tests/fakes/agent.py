"""An agent that answers port 5249 as the real one does, and says what the test wants."""

import contextlib
import json
import threading
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import Any
from urllib.parse import parse_qsl

from rackrelay import names
from rackrelay.agent.sessions.heard import HeardRacks
from rackrelay.protocol import paths, signing
from rackrelay.protocol.frames import Beat
from rackrelay.protocol.heard_document import read_heard_query

LOOK_EVERY_S = 0.02


def build_document(*interfaces: str, config_hash: str = "", **changes: Any) -> dict[str, Any]:
    """What a healthy agent says; interfaces as text, such as 10.10.0.2/24."""
    parts = [text.split("/") for text in interfaces]
    return {
        "node": "rack1",
        "pod": "demo-rack-x",
        "addresses": [
            {"interface": f"prov{i}", "address": address, "prefix": int(prefix), "carrier": True}
            for i, (address, prefix) in enumerate(parts)
        ],
        "daemons": {name: {"ok": True, "message": ""} for name in ("named", "nginx", "rsyslogd", "squid")},
        "regions": {"reachable": 2, "known": 2},
        "zone": {"serial": 1},
        "config": {"hash": config_hash, "applied": True, "rejected": {}, "restartNeeded": []},
        **changes,
    }


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def server_bind(self) -> None:
        # HTTPServer's own looks up the name of the address, which takes seconds where no DNS answers.
        TCPServer.server_bind(self)


class FakeAgent:
    """Serves `document` at any path to who signs with `key`, until it is closed.

    One that hears racks, as a region's does, says so at /heard. `polls` and `listens` count good requests for a status
    and for that.
    """

    def __init__(self, document: Mapping[str, Any], key: bytes, address: str, port: int = names.PORT_AGENT) -> None:
        self.document, self.key = document, key
        self.polls = self.listens = 0
        self.damage = b""
        self._racks: HeardRacks | None = None
        self._lock = threading.Lock()
        agent = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                agent._answer(self)

            def log_message(self, format: str, *args: Any) -> None:
                return

        self._server = _Server((address, port), Handler)
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def hear(self, rack: str, serial: int | None, document: Mapping[str, Any]) -> None:
        """A rack beats, and says which serial its named serves, None for none, and its status."""
        with self._lock:
            self._racks = self._racks or HeardRacks(f"since {time.time()}")
            self._racks.beat(self, Beat(rack, serial, json.dumps(document).encode()), time.monotonic())

    def lose(self, rack: str) -> None:
        """A rack that was heard does not beat any more."""
        with self._lock:
            assert self._racks is not None
            self._racks.leave(self, self._racks.racks[rack])

    def close(self) -> None:
        """Nobody listens any more."""
        if not self._thread.is_alive():
            return
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def __enter__(self) -> "FakeAgent":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        nonce = request.headers.get(signing.HEADER_NONCE, "")
        signed_at = int(request.headers.get(signing.HEADER_TIME, "0"))
        expected = signing.sign_request(self.key, request.path, signed_at, nonce)
        if not signing.matches(expected, request.headers.get(signing.HEADER_SIGNATURE, "")):
            request.send_error(401)
            return
        path, _, query = request.path.partition("?")
        if path == paths.HEARD and self._racks is not None:
            body = self._wait_heard(self._racks, query)
        else:
            self.polls += path != paths.HEARD
            body = json.dumps(self.document).encode()
        # Who asked may have been killed meanwhile.
        with contextlib.suppress(ConnectionError):
            request.send_response(200)
            request.send_header(signing.HEADER_SIGNATURE, signing.sign_answer(self.key, nonce, body))
            request.send_header("Content-Length", str(len(body + self.damage)))
            request.end_headers()
            request.wfile.write(body + self.damage)

    def _wait_heard(self, racks: HeardRacks, query: str) -> bytes:
        """The real answer, given as late as the real agent gives it."""
        self.listens += 1
        cursor, wait_s = read_heard_query(dict(parse_qsl(query)))
        since, epoch = cursor.version, cursor.epoch
        until = time.monotonic() + wait_s
        while (since, epoch) == (racks.version, racks.epoch) and time.monotonic() < until and self._thread.is_alive():
            time.sleep(LOOK_EVERY_S)
        with self._lock:
            return racks.answer(since, epoch)
