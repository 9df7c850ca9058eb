"""Make the requests that the daemons' records describe."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from rackrelay.agent.checks import dns, http, syslog
from rackrelay.agent.checks.result import FAILURES, CheckResult, Pod, no_answer
from rackrelay.daemons import requests
from rackrelay.daemons.requests import Request

Asker = Callable[[Any, Pod], Awaitable[CheckResult]]

ASKERS: dict[type, Asker] = {
    requests.HttpGet: http.check_page,
    requests.TcpConnect: http.check_connection,
    requests.ZoneSerial: dns.check_serial,
    requests.ZoneSerialAtEachAddress: dns.check_addresses,
    requests.VersionBind: dns.check_version,
    requests.DiskSpace: dns.check_disk,
    requests.MachinePorts: http.check_machine_ports,
    requests.RelayToRegion: http.check_relay,
    requests.SyslogRoundTrip: syslog.check_syslog,
    requests.SquidRefusal: http.check_squid,
}


async def ask_daemon(request: Request, pod: Pod) -> CheckResult:
    """What one request showed, never an exception."""
    try:
        async with asyncio.timeout(pod.timeout_s):
            return await ASKERS[type(request)](request, pod)
    except TimeoutError:
        return CheckResult(False, no_answer(pod))
    except FAILURES as error:
        return CheckResult(False, str(error) or type(error).__name__)
