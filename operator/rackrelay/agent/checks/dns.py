"""What named is asked: the zone's serial, at one address or at all, and which configuration it runs."""

import asyncio
import os
import secrets
import socket

from rackrelay import names
from rackrelay.agent.checks import wire
from rackrelay.agent.checks.exchange import ask_udp
from rackrelay.agent.checks.result import CheckResult, Pod, find_fault
from rackrelay.daemons.requests import DiskSpace, VersionBind, ZoneSerial, ZoneSerialAtEachAddress
from rackrelay.protocol.agent_config import AgentConfig

# With less room named can write no journal, and so take no change.
MIN_FREE_BYTES = 4 * 2**20


async def check_serial(_request: ZoneSerial, pod: Pod) -> CheckResult:
    """The internal zone's SOA. A zone that it does not serve is a fault of its own."""
    try:
        await ask_serial(pod.config, pod.node_ip)
    except wire.BadAnswer as error:
        return CheckResult(False, f"SOA of {pod.config.domain}: {error}")
    return CheckResult(True)


async def check_version(_request: VersionBind, pod: Pod) -> CheckResult:
    """Its configuration."""
    query_id = secrets.randbelow(65536)
    version = await ask_udp(pod.node_ip, pod.config.dns_port, wire.ask_version(query_id))
    return CheckResult(True, running=wire.read_version(query_id, version))


async def check_addresses(_request: ZoneSerialAtEachAddress, pod: Pod) -> CheckResult:
    """The SOA at each address under which machines ask."""
    asked = await asyncio.gather(*(find_fault(ask_serial(pod.config, address), pod) for address in pod.addresses))
    found = dict(zip(pod.addresses, asked, strict=True))
    # One that the node has lost meanwhile is no fault of named's.
    return CheckResult(True, faults={a: words for a, words in found.items() if words and _is_here(a)})


async def check_disk(_request: DiskSpace, _pod: Pod) -> CheckResult:
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


def _is_here(address: str) -> bool:
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            sock.bind((address, 0))
        except OSError:
            return False
    return True
