"""Ask an agent for its status and prove that the answer is the agent's."""

import json
import secrets
from collections.abc import Callable

import aiohttp

from rackrelay import names, signing
from rackrelay.errors import NotReady
from rackrelay.model.observed import AgentStatus, parse_agent_status

PATH = "/status"
TIMEOUT_S = 1.0


async def fetch_status(
    session: aiohttp.ClientSession, address: str, key: bytes, clock: Callable[[], float]
) -> AgentStatus:
    """The status of the agent at an IP address.

    Raises:
        NotReady: it does not answer, or the answer is not signed with the key or not of the agreed form.
    """
    nonce = secrets.token_hex(16)
    now = int(clock())
    headers = {
        signing.HEADER_TIME: str(now),
        signing.HEADER_NONCE: nonce,
        signing.HEADER_SIGNATURE: signing.sign_request(key, PATH, now, nonce),
    }
    try:
        async with session.get(
            _url(address), headers=headers, timeout=aiohttp.ClientTimeout(total=TIMEOUT_S)
        ) as response:
            body = await response.read()
            signature = response.headers.get(signing.HEADER_SIGNATURE, "")
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise NotReady(f"agent at {address}: {error or type(error).__name__}") from error
    if response.status != 200 or not signing.matches(signing.sign_answer(key, nonce, body), signature):
        raise NotReady(f"agent at {address}: HTTP {response.status}, answer not signed with the region's agent key")
    try:
        return parse_agent_status(json.loads(body))
    except (KeyError, ValueError, TypeError) as error:
        raise NotReady(f"agent at {address}: unexpected status document: {error!r}") from error


def _url(address: str) -> str:
    host = f"[{address}]" if ":" in address else address
    return f"http://{host}:{names.PORT_AGENT}{PATH}"
