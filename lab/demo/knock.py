"""Connects to many places at once, from whatever host it is piped into: `python3 - PATIENCE_S ADDRESS/PORT...`.

A line for each: the place and OPEN, SILENT, or the system's words for what went wrong.
"""

import socket
import sys
from concurrent.futures import ThreadPoolExecutor

OPEN, SILENT = "open", "silent"


def knock(place: str, patience_s: float) -> str:
    """What came of one connection."""
    address, _, port = place.partition("/")
    try:
        socket.create_connection((address, int(port)), patience_s).close()
    except TimeoutError:
        return SILENT
    except OSError as error:
        return (error.strerror or str(error)).lower()
    return OPEN


if __name__ == "__main__":
    places = sys.argv[2:]
    with ThreadPoolExecutor(len(places)) as pool:
        outcomes = pool.map(knock, places, [float(sys.argv[1])] * len(places))
        for place, outcome in zip(places, outcomes, strict=True):
            print(place, outcome)
