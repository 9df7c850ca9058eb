"""Ask each daemon something real, and say what is wrong with it in words."""

import asyncio
import os
import secrets
import socket
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from rackrelay import names
from rackrelay.agent.checks import wire
from rackrelay.agent.checks.exchange import Inbox, ask_tcp, ask_udp, converse_tcp, http_status, send_tcp
from rackrelay.protocol.agent_config import AgentConfig

LOOPBACK = "127.0.0.1"

# rsyslogd sends a line with this program name back to the port, see render.rsyslog.
HEALTH_PROGRAM = "rackrelay-health"

# An address that Squid refuses by its own rules: the refusal shows that it serves, and asks nobody else.
_REFUSED_URL = "http://127.0.0.1/rackrelay-health"
# What nginx puts in front on racks.
_PROXIED = b"PROXY TCP4 127.0.0.1 127.0.0.1 1 1\r\n"
METADATA_PATH = "/MAAS/metadata/"
# With less room named can write no journal, and so take no change.
MIN_FREE_BYTES = 4 * 2**20
# Of the time that a request may take: the rest is for saying which of several had no answer.
_PLACE_SHARE = 0.9


class Sick(Exception):
    """The daemon answered, and wrongly."""


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


Probe = Callable[[Pod], Awaitable[CheckResult]]


async def ask_daemon(probe: Probe, pod: Pod) -> CheckResult:
    """The CheckResult of one probe, never an exception."""
    try:
        async with asyncio.timeout(pod.timeout_s):
            return await probe(pod)
    except TimeoutError:
        return CheckResult(False, _no_answer(pod))
    except (OSError, Sick, wire.BadAnswer) as error:
        return CheckResult(False, str(error) or type(error).__name__)


async def probe_named(pod: Pod) -> CheckResult:
    """The internal zone's SOA. A zone that it does not serve is a fault of its own."""
    try:
        await ask_serial(pod.config, pod.node_ip)
    except wire.BadAnswer as error:
        return CheckResult(False, f"SOA of {pod.config.domain}: {error}")
    return CheckResult(True)


async def probe_named_version(pod: Pod) -> CheckResult:
    """Its configuration."""
    query_id = secrets.randbelow(65536)
    version = await ask_udp(pod.node_ip, pod.config.dns_port, wire.ask_version(query_id))
    return CheckResult(True, running=wire.read_version(query_id, version))


async def probe_named_addresses(pod: Pod) -> CheckResult:
    """The SOA at each address under which machines ask."""
    asked = await asyncio.gather(*(_fault(ask_serial(pod.config, address), pod) for address in pod.addresses))
    found = dict(zip(pod.addresses, asked, strict=True))
    # One that the node has lost meanwhile is no fault of named's.
    return CheckResult(True, faults={a: words for a, words in found.items() if words and _is_here(a)})


async def probe_disk(_pod: Pod) -> CheckResult:
    """Room for the zone's next version: named keeps a change on its disk before it serves it, or refuses it."""
    found = os.statvfs(names.DIR_STATE)
    # Some file systems do not count files.
    full = found.f_bavail * found.f_frsize < MIN_FREE_BYTES or (found.f_files and not found.f_favail)
    words = f"{names.DIR_STATE} of the node is full: it cannot take the zone's next change; make room"
    return CheckResult(True, faults={"disk": words} if full else {})


async def ask_serial(config: AgentConfig, node_ip: str) -> int:
    """The serial of the internal zone that this pod's named serves.

    Raises:
        OSError, wire.BadAnswer: named is not there, or does not serve the zone. The caller limits the time.
    """
    query_id = secrets.randbelow(65536)
    answer = await ask_udp(node_ip, config.dns_port, wire.ask_soa(query_id, config.domain))
    return wire.read_serial(query_id, answer)


async def probe_nginx(_pod: Pod) -> CheckResult:
    """Its loopback status page, which answers the hash of the running configuration."""
    answer = await _get(names.PORT_LOCAL_STATUS, "/")
    return CheckResult(True, running=answer.rpartition(b"\r\n\r\n")[2].decode("ascii", "replace").strip())


async def probe_nginx_ports(pod: Pod) -> CheckResult:
    """The ports that machines dial: a path that nginx refuses itself, and Squid, if that is well, through the proxy's.

    nginx listens on all addresses at once, so loopback stands for each of them.
    """
    if not pod.config.is_rack:
        return CheckResult(True)
    proxy = names.PORTS_RACK_PROXY[0]
    http, stream, squid = await asyncio.gather(
        _fault(_head(names.PORT_RACK_HTTP, "/"), pod),
        _fault(_ask_squid(proxy, b""), pod),
        _fault(_ask_squid(names.PORT_LOCAL_PROXY, _PROXIED), pod),
    )
    found = {f"port {names.PORT_RACK_HTTP}": http, f"port {proxy}": "" if squid else stream}
    return CheckResult(True, faults={place: words for place, words in found.items() if words})


async def probe_nginx_relay(pod: Pod) -> CheckResult:
    """A machine's request that goes through to a region. Any answer will do, the rack's own 503 as well: who else is at
    fault is not nginx's to bear, and nobody knows as long as a region does not answer the agent either."""
    words = await _fault(_head(names.PORT_RACK_HTTP, METADATA_PATH), pod) if pod.config.is_rack else ""
    return CheckResult(True, faults={"relay": words} if words and pod.regions_answer else {})


async def probe_rsyslogd(pod: Pod) -> CheckResult:
    """On racks lines that come back, in regions a RELP session that is accepted."""
    if pod.config.is_rack:
        return await _echo_lines(pod)
    offer = b"relp_version=0\nrelp_software=rackrelay\ncommands=syslog"
    answer = await converse_tcp(
        LOOPBACK, names.PORT_LOCAL_COLLECTOR, b"1 open %d %b\n" % (len(offer), offer), b"2 close 0\n"
    )
    if b" rsp " not in answer or b"200 OK" not in answer:
        raise Sick("the collector does not accept a RELP session")
    return CheckResult(True)


async def probe_squid(pod: Pod) -> CheckResult:
    """A request that its own rules refuse."""
    await _ask_squid(names.PORT_LOCAL_PROXY, _PROXIED if pod.config.is_rack else b"")
    return CheckResult(True)


async def probe_metadata(_pod: Pod) -> CheckResult:
    """The index of versions."""
    await _get(names.PORT_LOCAL_HTTP, METADATA_PATH)
    return CheckResult(True)


async def _ask_squid(port: int, before: bytes) -> None:
    request = f"GET {_REFUSED_URL} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode()
    status = http_status(await ask_tcp(LOOPBACK, port, before + request))
    if status != 403:
        raise Sick(f"expected a refusal (403), got {status}" if status else "closed without an answer")


async def _echo_lines(pod: Pod) -> CheckResult:
    """One line to each of the inputs, and both back."""
    loop = asyncio.get_running_loop()
    waited = {"TCP": os.urandom(8).hex(), "UDP": os.urandom(8).hex()}
    tcp, udp = (f"<14>{HEALTH_PROGRAM}: {nonce}\n".encode() for nonce in waited.values())
    transport, inbox = await loop.create_datagram_endpoint(Inbox, local_addr=(LOOPBACK, names.PORT_LOCAL_ECHO))
    try:
        async with asyncio.timeout(_PLACE_SHARE * pod.timeout_s):
            transport.sendto(udp, (LOOPBACK, names.PORT_RACK_SYSLOG))
            await send_tcp(LOOPBACK, names.PORT_RACK_SYSLOG, tcp)
            while waited:
                line = await inbox.next()
                waited = {way: nonce for way, nonce in waited.items() if nonce.encode() not in line}
    except TimeoutError as error:
        raise Sick(f"no line came back that was sent by {' or '.join(waited)}") from error
    finally:
        transport.close()
    return CheckResult(True)


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


async def _fault(asking: Awaitable[object], pod: Pod) -> str:
    """What is wrong with what was asked, nothing when it answers."""
    try:
        async with asyncio.timeout(_PLACE_SHARE * pod.timeout_s):
            await asking
    except TimeoutError:
        return _no_answer(pod)
    except (OSError, Sick, wire.BadAnswer) as error:
        return str(error) or type(error).__name__
    return ""


def _no_answer(pod: Pod) -> str:
    return f"no answer within {pod.timeout_s:g} s"


def _is_here(address: str) -> bool:
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            sock.bind((address, 0))
        except OSError:
            return False
    return True
