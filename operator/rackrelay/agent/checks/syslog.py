"""What rsyslogd is asked: on racks lines that come back, in regions a RELP session that is accepted."""

import asyncio
import os

from rackrelay import names
from rackrelay.agent.checks.exchange import Inbox, converse_tcp, send_tcp
from rackrelay.agent.checks.result import LOOPBACK, PLACE_SHARE, CheckResult, Pod, Sick
from rackrelay.daemons.requests import SyslogRoundTrip


async def check_syslog(_request: SyslogRoundTrip, pod: Pod) -> CheckResult:
    """Lines that come back, or a session."""
    if pod.config.is_rack:
        return await _echo_lines(pod)
    offer = b"relp_version=0\nrelp_software=rackrelay\ncommands=syslog"
    answer = await converse_tcp(
        LOOPBACK, names.PORT_LOCAL_COLLECTOR, b"1 open %d %b\n" % (len(offer), offer), b"2 close 0\n"
    )
    if b" rsp " not in answer or b"200 OK" not in answer:
        raise Sick("the collector does not accept a RELP session")
    return CheckResult(True)


async def _echo_lines(pod: Pod) -> CheckResult:
    """One line to each of the inputs, and both back."""
    loop = asyncio.get_running_loop()
    waited = {"TCP": os.urandom(8).hex(), "UDP": os.urandom(8).hex()}
    tcp, udp = (f"<14>{names.SYSLOG_HEALTH_PROGRAM}: {nonce}\n".encode() for nonce in waited.values())
    transport, inbox = await loop.create_datagram_endpoint(Inbox, local_addr=(LOOPBACK, names.PORT_LOCAL_ECHO))
    try:
        async with asyncio.timeout(PLACE_SHARE * pod.timeout_s):
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
