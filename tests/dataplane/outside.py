"""What is beyond the region: a name server and an HTTP origin, small and in threads of the test."""

import http.server
import socket
import socketserver
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import dns.flags
import dns.message
import dns.rdatatype
import dns.rrset

from tests.dataplane.netns import Namespace


@dataclass
class Outside:
    """What was asked of the outside. `names` maps absolute names to IPv4 addresses, `files` paths to contents."""

    names: Mapping[str, str]
    files: Mapping[str, bytes]
    questions: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


@contextmanager
def serve_outside(namespace: Namespace, outside: Outside) -> Iterator[Outside]:
    """Serve DNS on port 53 (UDP) and HTTP on port 80 of every address of the namespace."""
    with namespace.inside():
        resolver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        resolver.bind(("", 53))
        origin = socketserver.ThreadingTCPServer(("", 80), _handler(outside))
    origin.daemon_threads = True
    threads = [
        threading.Thread(target=_answer_questions, args=(resolver, outside), daemon=True),
        threading.Thread(target=origin.serve_forever, daemon=True),
    ]
    for thread in threads:
        thread.start()
    try:
        yield outside
    finally:
        origin.shutdown()
        origin.server_close()
        resolver.close()


def _answer_questions(resolver: socket.socket, outside: Outside) -> None:
    while True:
        try:
            wire, peer = resolver.recvfrom(4096)
        except OSError:
            return
        query = dns.message.from_wire(wire)
        name = query.question[0].name.to_text().lower()
        outside.questions.append(name)
        answer = dns.message.make_response(query, recursion_available=True)
        if name not in outside.names:
            answer.set_rcode(dns.rcode.NXDOMAIN)
        elif query.question[0].rdtype == dns.rdatatype.A:
            answer.answer.append(dns.rrset.from_text(name, 60, "IN", "A", outside.names[name]))
        try:
            resolver.sendto(answer.to_wire(), peer)
        except OSError:
            # Closed between the question and its answer.
            return


def _handler(outside: Outside) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            outside.requests.append(self.path)
            body = outside.files.get(self.path)
            self.send_response(404 if body is None else 200)
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, format: str, *args: object) -> None:
            """Quiet: what was asked is in `outside`."""

    return Handler
