"""A signed request to an agent and proof that the answer is the agent's."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass

import aiohttp

from rackrelay import names
from rackrelay.errors import NotReady
from rackrelay.protocol import signing


@dataclass(frozen=True)
class Asker:
    """Who asks: with the region's agent key, by a clock that gives seconds since the epoch."""

    session: aiohttp.ClientSession
    key: bytes
    clock: Callable[[], float]

    async def fetch(self, address: str, target: str, timeout_s: float) -> bytes:
        """The body of the answer that the agent at an IP address gives; `target` is a path with its query.

        Raises:
            NotReady: it does not answer, or the answer is not signed with the key.
        """
        nonce = secrets.token_hex(16)
        now = int(self.clock())
        headers = {
            signing.HEADER_TIME: str(now),
            signing.HEADER_NONCE: nonce,
            signing.HEADER_SIGNATURE: signing.sign_request(self.key, target, now, nonce),
        }
        timeout = aiohttp.ClientTimeout(total=timeout_s)
        try:
            async with self.session.get(build_url(address, target), headers=headers, timeout=timeout) as response:
                body = await response.read()
                signature = response.headers.get(signing.HEADER_SIGNATURE, "")
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise NotReady(f"agent at {address}: {error or type(error).__name__}") from error
        if response.status != 200 or not signing.matches(signing.sign_answer(self.key, nonce, body), signature):
            raise NotReady(f"agent at {address}: HTTP {response.status}, answer not signed with the region's agent key")
        return body


def build_url(address: str, target: str) -> str:
    """The URL of a path on the agent's port."""
    host = f"[{address}]" if ":" in address else address
    return f"http://{host}:{names.PORT_AGENT}{target}"
