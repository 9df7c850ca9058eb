"""Ask each daemon something real, and say what is wrong with it in words."""

import asyncio
import os
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from rackrelay import names
from rackrelay.agent import wire
from rackrelay.agent.exchange import Inbox, ask_tcp, ask_udp, converse_tcp, http_status, send_tcp
from rackrelay.agent.settings import Duties

TIMEOUT_S = 1.0
LOOPBACK = "127.0.0.1"

# rsyslogd sends a line with this program name back to the port, see render.rsyslog.
HEALTH_PROGRAM = "rackrelay-health"

# An address that Squid refuses by its own rules: the refusal shows that it serves, and asks nobody else.
_REFUSED_URL = "http://127.0.0.1/rackrelay-health"


class Sick(Exception):
    """The daemon answered, and wrongly."""


@dataclass(frozen=True)
class Finding:
    """What a real request to one daemon showed. `running` is the hash of the configuration it runs, when it tells."""

    ok: bool
    message: str = ""
    running: str | None = None


Probe = Callable[[Duties, str], Awaitable[Finding]]


async def probe_daemon(daemon: str, duties: Duties, node_ip: str) -> Finding:
    """The Finding on one daemon, never an exception."""
    try:
        async with asyncio.timeout(TIMEOUT_S):
            return await PROBES[daemon](duties, node_ip)
    except TimeoutError:
        return Finding(False, f"no answer within {TIMEOUT_S:g} s")
    except (OSError, Sick, wire.BadAnswer) as error:
        return Finding(False, str(error) or type(error).__name__)


async def probe_named(duties: Duties, node_ip: str) -> Finding:
    """Its configuration and the internal zone's SOA. A zone that it does not serve is a fault of its own."""
    query_id = secrets.randbelow(65536)
    version = await ask_udp(node_ip, duties.dns_port, wire.ask_version(query_id))
    running = wire.read_version(query_id, version)
    try:
        await ask_serial(duties, node_ip)
    except wire.BadAnswer as error:
        return Finding(False, f"SOA of {duties.domain}: {error}", running=running)
    return Finding(True, running=running)


async def ask_serial(duties: Duties, node_ip: str) -> int:
    """The serial of the internal zone that this pod's named serves.

    Raises:
        OSError, wire.BadAnswer: named is not there, or does not serve the zone. The caller limits the time.
    """
    query_id = secrets.randbelow(65536)
    answer = await ask_udp(node_ip, duties.dns_port, wire.ask_soa(query_id, duties.domain))
    return wire.read_serial(query_id, answer)


async def probe_nginx(_duties: Duties, _node_ip: str) -> Finding:
    """Its loopback status page, which answers the hash of the running configuration."""
    answer = await _get(names.PORT_LOCAL_STATUS, "/")
    return Finding(True, running=answer.rpartition(b"\r\n\r\n")[2].decode("ascii", "replace").strip())


async def probe_rsyslogd(duties: Duties, _node_ip: str) -> Finding:
    """On racks a line that comes back, in regions a RELP session that is accepted."""
    if duties.is_rack:
        return await _echo_line()
    offer = b"relp_version=0\nrelp_software=rackrelay\ncommands=syslog"
    answer = await converse_tcp(
        LOOPBACK, names.PORT_LOCAL_COLLECTOR, b"1 open %d %b\n" % (len(offer), offer), b"2 close 0\n"
    )
    if b" rsp " not in answer or b"200 OK" not in answer:
        raise Sick("the collector does not accept a RELP session")
    return Finding(True)


async def probe_squid(duties: Duties, _node_ip: str) -> Finding:
    """A request that its own rules refuse."""
    proxied_by = b"PROXY TCP4 127.0.0.1 127.0.0.1 1 1\r\n" if duties.is_rack else b""
    request = f"GET {_REFUSED_URL} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode()
    answer = await ask_tcp(LOOPBACK, names.PORT_LOCAL_PROXY, proxied_by + request)
    if http_status(answer) != 403:
        raise Sick(f"expected a refusal (403), got {http_status(answer)}")
    return Finding(True)


async def probe_metadata(_duties: Duties, _node_ip: str) -> Finding:
    """The index of versions."""
    await _get(names.PORT_LOCAL_HTTP, "/MAAS/metadata/")
    return Finding(True)


async def _echo_line() -> Finding:
    loop = asyncio.get_running_loop()
    nonce = os.urandom(8).hex()
    transport, inbox = await loop.create_datagram_endpoint(Inbox, local_addr=(LOOPBACK, names.PORT_LOCAL_ECHO))
    try:
        await send_tcp(LOOPBACK, names.PORT_RACK_SYSLOG, f"<14>{HEALTH_PROGRAM}: {nonce}\n".encode())
        while nonce.encode() not in await inbox.next():
            pass
    finally:
        transport.close()
    return Finding(True)


async def _get(port: int, path: str) -> bytes:
    request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
    answer = await ask_tcp(LOOPBACK, port, request)
    if http_status(answer) != 200:
        raise Sick(f"expected 200, got {http_status(answer)}")
    return answer


PROBES: dict[str, Probe] = {
    "metadata": probe_metadata,
    "named": probe_named,
    "nginx": probe_nginx,
    "rsyslogd": probe_rsyslogd,
    "squid": probe_squid,
}
