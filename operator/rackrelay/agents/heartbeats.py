"""Ask a region replica which racks it hears: a long poll that answers as soon as something changed."""

import json

from rackrelay.agents.requests import Asker
from rackrelay.errors import NotReady
from rackrelay.protocol import paths
from rackrelay.protocol.heard_document import Cursor, Heard, build_heard_query, parse_heard

# The first answer of a region with a thousand racks is a megabyte and more.
TRANSFER_S = 1.5


async def fetch_heard(asker: Asker, address: str, cursor: Cursor, wait_s: float) -> Heard:
    """What the replica at an IP address heard since the cursor; go on with the `cursor` of what this returns.

    `wait_s`: after how long it shall answer that nothing changed; two seconds at most.

    Raises:
        NotReady: it does not answer, or the answer is not signed with the key or not of the agreed form.
    """
    target = f"{paths.HEARD}?{build_heard_query(cursor, wait_s)}"
    body = await asker.fetch(address, target, wait_s + TRANSFER_S)
    try:
        return parse_heard(json.loads(body))
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise NotReady(f"agent at {address}: unexpected answer to {paths.HEARD}: {error!r}") from error
