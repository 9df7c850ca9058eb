"""The process of the `wan` host: an authoritative DNS server for one domain and an HTTP server of files.

python -m lab.wan_server DNS-ADDRESS HTTP-ADDRESS DOMAIN FOLDER
"""

import functools
import http.server
import socketserver
import sys
import threading

from lab.dns_wire import Zone, answer_query


class DatagramHandler(socketserver.BaseRequestHandler):
    """One query over UDP."""

    def handle(self) -> None:
        query, socket = self.request
        if answer := _answer(self.server, query):
            socket.sendto(answer, self.client_address)


class StreamHandler(socketserver.StreamRequestHandler):
    """Queries over TCP, each with its length in front (RFC 1035, 4.2.2)."""

    def handle(self) -> None:
        while len(size := self.rfile.read(2)) == 2:
            answer = _answer(self.server, self.rfile.read(int.from_bytes(size)))
            if answer is None:
                return
            self.wfile.write(len(answer).to_bytes(2) + answer)


class UdpServer(socketserver.ThreadingUDPServer):
    allow_reuse_address = True
    daemon_threads = True
    zone: Zone


class TcpServer(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    zone: Zone


def _answer(server: socketserver.BaseServer, query: bytes) -> bytes | None:
    assert isinstance(server, UdpServer | TcpServer)  # noqa: S101 - the two that `main` makes
    answer, words = answer_query(server.zone, query)
    print("dns", words, flush=True)
    return answer


def main(dns: str, archive: str, domain: str, folder: str) -> None:
    """Serves until it is killed."""
    zone = Zone(domain, {f"archive.{domain}": archive, f"www.{domain}": archive, f"ns.{domain}": dns})
    files = functools.partial(http.server.SimpleHTTPRequestHandler, directory=folder)
    udp, tcp = UdpServer((dns, 53), DatagramHandler), TcpServer((dns, 53), StreamHandler)
    udp.zone = tcp.zone = zone
    for server in (udp, tcp):
        threading.Thread(target=server.serve_forever, daemon=True).start()
    http.server.ThreadingHTTPServer((archive, 80), files).serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
