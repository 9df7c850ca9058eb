"""Runs on a machine, with what its Debian has: which address a program of glibc connects to first.

Standard input is a JSON document: the link, the name, how often to look it up, and for each machine the ip(8) commands
that give it an address and routes. Standard output maps addresses to how often they came first.
"""

import collections
import json
import socket
import subprocess
import sys


def main() -> None:
    """For each machine in turn: be that machine, look the name up `lookups` times."""
    task = json.load(sys.stdin)
    found: collections.Counter[str] = collections.Counter()
    for commands in task["machines"]:
        batch = "\n".join([f"address flush dev {task['link']} scope global", *commands])
        subprocess.run(["ip", "-batch", "-"], input=batch, text=True, check=True)
        for _ in range(task["lookups"]):
            answers = socket.getaddrinfo(task["name"], 5248, type=socket.SOCK_STREAM)
            found[str(answers[0][4][0])] += 1
    json.dump(found, sys.stdout)


main()
