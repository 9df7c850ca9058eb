"""An agent that answers port 5249 as the real one does, and says what the test wants."""

import json
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import Any

from rackrelay import names, signing


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
    """Serves `document` at /status to who signs with `key`, until it is closed. `polls` counts good requests."""

    def __init__(self, document: Mapping[str, Any], key: bytes, address: str, port: int = names.PORT_AGENT) -> None:
        self.document, self.key = document, key
        self.polls = 0
        self.damage = b""
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
        time = int(request.headers.get(signing.HEADER_TIME, "0"))
        expected = signing.sign_request(self.key, request.path, time, nonce)
        if not signing.matches(expected, request.headers.get(signing.HEADER_SIGNATURE, "")):
            request.send_error(401)
            return
        self.polls += 1
        body = json.dumps(self.document).encode()
        request.send_response(200)
        request.send_header(signing.HEADER_SIGNATURE, signing.sign_answer(self.key, nonce, body))
        request.send_header("Content-Length", str(len(body + self.damage)))
        request.end_headers()
        request.wfile.write(body + self.damage)
