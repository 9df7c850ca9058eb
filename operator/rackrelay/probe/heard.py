"""Ask a region replica which racks it hears: a long poll that answers as soon as something changed."""

import json
from collections.abc import Callable
from urllib.parse import urlencode

import aiohttp

from rackrelay.errors import NotReady
from rackrelay.model.observed import Cursor, Heard, parse_heard
from rackrelay.probe.signed import Asker

PATH = "/heard"
WAIT_S = 2
# The first answer of a region with a thousand racks is a megabyte and more.
TIMEOUT_S = WAIT_S + 1.5


async def fetch_heard(
    session: aiohttp.ClientSession, address: str, key: bytes, cursor: Cursor, clock: Callable[[], float]
) -> Heard:
    """What the replica at an IP address heard since the cursor; go on with the `cursor` of what this returns.

    Raises:
        NotReady: it does not answer, or the answer is not signed with the key or not of the agreed form.
    """
    query = urlencode({"since": cursor.version, "epoch": cursor.epoch, "wait": WAIT_S})
    body = await Asker(session, key, clock).fetch(address, f"{PATH}?{query}", TIMEOUT_S)
    try:
        return parse_heard(json.loads(body))
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise NotReady(f"agent at {address}: unexpected answer to {PATH}: {error!r}") from error
