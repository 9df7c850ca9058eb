"""Whether this rack reaches the region's replicas, by the way its nginx takes."""

import asyncio
from collections.abc import Sequence

from rackrelay.agent.checks.exchange import ask_tcp, http_status
from rackrelay.protocol import paths

TIMEOUT_S = 1.0


async def count_reachable(regions: Sequence[str], http_port: int) -> int:
    """How many replicas answer a metadata request: neither dead, nor refusing this node, nor without a service."""
    answers = await asyncio.gather(*(_answers(address, http_port) for address in regions))
    return sum(answers)


async def _answers(address: str, http_port: int) -> bool:
    request = f"HEAD {paths.METADATA} HTTP/1.1\r\nHost: region\r\nConnection: close\r\n\r\n".encode()
    try:
        async with asyncio.timeout(TIMEOUT_S):
            return http_status(await ask_tcp(address, http_port, request)) == 200
    except OSError:
        return False
