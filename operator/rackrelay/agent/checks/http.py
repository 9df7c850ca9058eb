"""What is asked over HTTP and TCP: nginx, Squid, the metadata service."""

import asyncio

from rackrelay import names
from rackrelay.agent.checks.exchange import ask_tcp, http_status, send_tcp
from rackrelay.agent.checks.result import LOOPBACK, CheckResult, Pod, Sick, find_fault
from rackrelay.daemons.requests import HttpGet, MachinePorts, RelayToRegion, SquidRefusal, TcpConnect
from rackrelay.protocol import paths

# An address that Squid refuses by its own rules: the refusal shows that it serves, and asks nobody else.
_REFUSED_URL = "http://127.0.0.1/rackrelay-health"
# What nginx puts in front on racks.
_PROXIED = b"PROXY TCP4 127.0.0.1 127.0.0.1 1 1\r\n"


async def check_page(request: HttpGet, _pod: Pod) -> CheckResult:
    """A page that has to be there; its text may be the hash of the running configuration."""
    answer = await _get(request.port, request.path)
    text = answer.rpartition(b"\r\n\r\n")[2].decode("ascii", "replace").strip()
    return CheckResult(True, running=text if request.tells_config else None)


async def check_connection(request: TcpConnect, _pod: Pod) -> CheckResult:
    """A port that has to take a connection."""
    await send_tcp(LOOPBACK, request.port, b"")
    return CheckResult(True)


async def check_machine_ports(_request: MachinePorts, pod: Pod) -> CheckResult:
    """The ports that machines dial: a path that nginx refuses itself, and Squid, if that is well, through the proxy's.

    nginx listens on all addresses at once, so loopback stands for each of them.
    """
    if not pod.config.is_rack:
        return CheckResult(True)
    proxy = names.PORTS_RACK_PROXY[0]
    http, stream, squid = await asyncio.gather(
        find_fault(_head(names.PORT_RACK_HTTP, "/"), pod),
        find_fault(_ask_squid(proxy, b""), pod),
        find_fault(_ask_squid(names.PORT_LOCAL_PROXY, _PROXIED), pod),
    )
    found = {f"port {names.PORT_RACK_HTTP}": http, f"port {proxy}": "" if squid else stream}
    return CheckResult(True, faults={place: words for place, words in found.items() if words})


async def check_relay(_request: RelayToRegion, pod: Pod) -> CheckResult:
    """A machine's request that goes through to a region. Any answer will do, the rack's own 503 as well: who else is at
    fault is not nginx's to bear, and nobody knows as long as a region does not answer the agent either."""
    words = await find_fault(_head(names.PORT_RACK_HTTP, paths.METADATA), pod) if pod.config.is_rack else ""
    return CheckResult(True, faults={"relay": words} if words and pod.regions_answer else {})


async def check_squid(_request: SquidRefusal, pod: Pod) -> CheckResult:
    """A request that its own rules refuse."""
    await _ask_squid(names.PORT_LOCAL_PROXY, _PROXIED if pod.config.is_rack else b"")
    return CheckResult(True)


async def _ask_squid(port: int, before: bytes) -> None:
    request = f"GET {_REFUSED_URL} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode()
    status = http_status(await ask_tcp(LOOPBACK, port, before + request))
    if status != 403:
        raise Sick(f"expected a refusal (403), got {status}" if status else "closed without an answer")


async def _head(port: int, path: str) -> None:
    request = f"HEAD {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
    if not http_status(await ask_tcp(LOOPBACK, port, request)):
        raise Sick("closed without an answer")


async def _get(port: int, path: str) -> bytes:
    request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
    answer = await ask_tcp(LOOPBACK, port, request)
    if http_status(answer) != 200:
        raise Sick(f"expected 200, got {http_status(answer)}")
    return answer
