"""Ask an agent for its status."""

import json
from collections.abc import Callable

import aiohttp

from rackrelay.agents.requests import Asker
from rackrelay.errors import NotReady
from rackrelay.protocol.status_document import AgentStatus, parse_agent_status

PATH = "/status"
TIMEOUT_S = 1.0


async def fetch_status(
    session: aiohttp.ClientSession, address: str, key: bytes, clock: Callable[[], float]
) -> AgentStatus:
    """The status of the agent at an IP address.

    Raises:
        NotReady: it does not answer, or the answer is not signed with the key or not of the agreed form.
    """
    body = await Asker(session, key, clock).fetch(address, PATH, TIMEOUT_S)
    try:
        return parse_agent_status(json.loads(body))
    except (KeyError, ValueError, TypeError) as error:
        raise NotReady(f"agent at {address}: unexpected status document: {error!r}") from error
