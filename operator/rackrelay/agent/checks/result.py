"""What a real request to a daemon showed, and whom it goes to."""

import asyncio
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field

from rackrelay.agent.checks.wire import BadAnswer
from rackrelay.protocol.agent_config import AgentConfig

LOOPBACK = "127.0.0.1"
# Of the time that a request may take: the rest is for saying which of several had no answer.
PLACE_SHARE = 0.9


class Sick(Exception):
    """The daemon answered, and wrongly."""


FAILURES = (OSError, Sick, BadAnswer)


@dataclass(frozen=True)
class CheckResult:
    """What a real request to one daemon showed. `running` is the hash of the configuration it runs, when it tells.

    `faults`: place (an address, a port) -> what is wrong with the daemon there alone.
    """

    ok: bool
    message: str = ""
    running: str | None = None
    faults: Mapping[str, str] = field(default_factory=dict)

    @property
    def failing(self) -> dict[str, str]:
        """Place -> what is wrong there; the daemon as a whole is the place without a name."""
        return ({} if self.ok else {"": self.message}) | dict(self.faults)


@dataclass(frozen=True)
class Pod:
    """Whom the requests go to, and how long each may take.

    `addresses` are those under which machines ask, `regions_answer` whether every known region does.
    """

    config: AgentConfig
    node_ip: str
    timeout_s: float
    addresses: tuple[str, ...] = ()
    regions_answer: bool = False


async def find_fault(asking: Awaitable[object], pod: Pod) -> str:
    """What is wrong with what was asked, nothing when it answers."""
    try:
        async with asyncio.timeout(PLACE_SHARE * pod.timeout_s):
            await asking
    except TimeoutError:
        return no_answer(pod)
    except FAILURES as error:
        return str(error) or type(error).__name__
    return ""


def no_answer(pod: Pod) -> str:
    """That nothing came in time, in words."""
    return f"no answer within {pod.timeout_s:g} s"
