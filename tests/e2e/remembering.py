"""Machines that use one rack for as long as its address may be remembered, and no other when it fails.

curl tries the next address by itself and asks anew each time, so it hides a rack that stops too soon. Arguments: name,
then name servers. Each of several threads looks the name up, takes the first address alone, keeps it for exactly the
TTL, and fetches the metadata index from it again and again. One JSON list a request on standard output: [address,
trouble or ""]. Ends when its input ends.
"""

import http.client
import itertools
import json
import os
import sys
import threading
import time
from collections.abc import Sequence

import dns.exception
import dns.message
import dns.query
import dns.rdatatype

MACHINES = 8
PAUSE_S = 0.4
PATIENCE_S = 10.0
PORT, PATH = 5248, "/MAAS/metadata/"


def main(name: str, servers: Sequence[str]) -> None:
    """Ask until standard input is closed."""
    stop = threading.Event()
    machines = [threading.Thread(target=work, args=(name, servers, i, stop)) for i in range(MACHINES)]
    for machine in machines:
        machine.start()
    sys.stdin.read()
    stop.set()
    for machine in machines:
        machine.join()


def work(name: str, servers: Sequence[str], number: int, stop: threading.Event) -> None:
    """One machine. Each begins with another name server, a moment after the one before."""
    order = [*servers[number % len(servers) :], *servers[: number % len(servers)]]
    stop.wait(PAUSE_S * number / MACHINES)
    address, until = "", 0.0
    while not stop.is_set():
        if time.monotonic() >= until:
            address, until = look_up(name, order)
        line = json.dumps([address, fetch(name, address) if address else "no address"])
        # In one piece, whatever the other threads write.
        os.write(sys.stdout.fileno(), f"{line}\n".encode())
        stop.wait(PAUSE_S)


def look_up(name: str, servers: Sequence[str]) -> tuple[str, float]:
    """The first address that the name has, and until when it may be used; of the first server that answers."""
    question = dns.message.make_query(name, "A")
    for server in itertools.chain(servers, servers):
        try:
            answer = dns.query.udp(question, server, timeout=1)
        except (OSError, dns.exception.DNSException):
            continue
        for rrset in answer.answer:
            if rrset.rdtype == dns.rdatatype.A:
                return rrset[0].to_text(), time.monotonic() + rrset.ttl
    return "", 0.0


def fetch(name: str, address: str) -> str:
    """What went wrong; empty when nothing did."""
    connection = http.client.HTTPConnection(address, PORT, timeout=PATIENCE_S)
    try:
        connection.request("GET", PATH, headers={"Host": f"{name}:{PORT}"})
        response = connection.getresponse()
        response.read()
    except (OSError, http.client.HTTPException) as error:
        return repr(error)
    finally:
        connection.close()
    return "" if response.status == http.client.OK else f"status {response.status}"


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
