"""Ask name servers one question several times a second, from a machine's network, and write down what each answered.

Arguments: name, then server addresses. One JSON list a query on standard output: [server, sent, answered or null,
addresses]. Times are of the monotonic clock, which all processes of a machine share. Ends when its input ends.
"""

import json
import select
import socket
import sys
import time

import dns.exception
import dns.message
import dns.rcode

INTERVAL_S = 0.1
TIMEOUT_S = 1.0


def main(name: str, servers: list[str]) -> None:
    """Ask until standard input is closed."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    wire = dns.message.make_query(f"{name}.", "A", id=0).to_wire()[2:]
    waiting: dict[tuple[str, int], float] = {}
    number, due = 0, time.monotonic()
    while not select.select([sys.stdin], [], [], 0)[0]:
        for server in servers:
            number = (number + 1) % 65536
            waiting[(server, number)] = time.monotonic()
            try:
                sock.sendto(number.to_bytes(2, "big") + wire, (server, 53))
            except OSError:
                continue
        due += INTERVAL_S
        while (left := due - time.monotonic()) > 0:
            if select.select([sock], [], [], left)[0]:
                receive(sock, waiting)
        expire(waiting)


def receive(sock: socket.socket, waiting: dict[tuple[str, int], float]) -> None:
    """Write down one answer."""
    try:
        data, (server, _) = sock.recvfrom(4096)
        message = dns.message.from_wire(data)
    except (OSError, dns.exception.DNSException):
        # A refusal by the kernel of a host whose named is down is no answer.
        return
    if message.rcode() not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
        # A named that has not loaded its zone yet says SERVFAIL, and resolvers ask the next server: no answer either.
        return
    sent = waiting.pop((server, message.id), None)
    if sent is not None:
        addresses = [rdata.to_text() for rrset in message.answer for rdata in rrset]
        print(json.dumps([server, sent, time.monotonic(), addresses]), flush=True)


def expire(waiting: dict[tuple[str, int], float]) -> None:
    """Write down the queries that nobody answered in time."""
    now = time.monotonic()
    for (server, number), sent in list(waiting.items()):
        if now - sent > TIMEOUT_S:
            del waiting[(server, number)]
            print(json.dumps([server, sent, None, []]), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
