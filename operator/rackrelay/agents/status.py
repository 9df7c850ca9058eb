"""Ask an agent for its status."""

import json
from collections.abc import Callable

import aiohttp

from rackrelay.agents.requests import Asker
from rackrelay.errors import Unreadable
from rackrelay.protocol import paths
from rackrelay.protocol.status_document import AgentStatus, parse_agent_status
from rackrelay.protocol.versions import UnknownVersion

TIMEOUT_S = 1.0


async def fetch_status(
    session: aiohttp.ClientSession, address: str, key: bytes, clock: Callable[[], float]
) -> AgentStatus:
    """The status of the agent at an IP address.

    Raises:
        NotReady: it does not answer, or the answer is not signed with the key.
        Unreadable: the answer is not of the agreed form.
    """
    body = await Asker(session, key, clock).fetch(address, paths.STATUS, TIMEOUT_S)
    try:
        return parse_agent_status(json.loads(body))
    except UnknownVersion as error:
        raise Unreadable(str(error)) from error
    except (KeyError, ValueError, TypeError) as error:
        raise Unreadable(f"unexpected status document: {error!r}") from error
