"""One message to many servers by UDP, again to those that do not answer. It knows nothing of what the bytes say."""

import asyncio
from collections.abc import Callable, Collection

from rackrelay.nameservers.datagrams import Datagrams, Place

TIMEOUT_S = 0.2
ATTEMPTS = 3
# Answers are taken in between, or a thousand would find the socket full.
BATCH = 100


async def ask_all(wire: bytes, places: Collection[Place], fence: Callable[[], object]) -> dict[Place, bytes]:
    """Place -> its answer, for those that answer; takes as long as the slowest, at most three times 0.2 s.

    An answer begins with the message id of what was sent. `fence` is called before anything is sent.
    """
    answers: dict[Place, bytes] = {}
    complete = asyncio.Event()
    missing = set(places)

    def receive(data: bytes, place: Place) -> None:
        if place in missing and data[:2] == wire[:2]:
            missing.discard(place)
            answers[place] = data
            if not missing:
                complete.set()

    datagrams = Datagrams(receive)
    try:
        for _attempt in range(ATTEMPTS):
            _send(datagrams, wire, sorted(missing), fence)
            try:
                async with asyncio.timeout(TIMEOUT_S):
                    await complete.wait()
            except TimeoutError:
                # This process may have been too busy to look.
                datagrams.drain()
            if not missing:
                break
    finally:
        datagrams.close()
    return answers


def _send(datagrams: Datagrams, wire: bytes, places: list[Place], fence: Callable[[], object]) -> None:
    for first in range(0, len(places), BATCH):
        fence()
        for place in places[first : first + BATCH]:
            datagrams.send(wire, place)
        datagrams.drain()
