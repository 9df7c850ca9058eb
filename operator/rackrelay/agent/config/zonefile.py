"""Give named a zone file before it starts: the published zone when that is newer than what this node has."""

import asyncio
import re
from dataclasses import dataclass
from pathlib import Path

from rackrelay import names
from rackrelay.agent.config.mounted import Snapshot
from rackrelay.agent.files import read_file, write_file
from rackrelay.protocol.agent_config import AgentConfig
from rackrelay.protocol.packing import unpack

CHECK_TIMEOUT_S = 20.0
_LOADED = re.compile(rb"loaded serial (\d+)")
_JOURNALS = (".jnl", ".jbk")


@dataclass(frozen=True)
class Published:
    """The zone as the operator published it."""

    serial: int
    text: str


def parse_published(snapshot: Snapshot | None) -> Published | None:
    """The published zone, None when nothing is mounted or it is not what the operator writes."""
    data = snapshot.data if snapshot else {}
    serial, text = data.get(names.KEY_ZONE_SERIAL, ""), data.get(names.KEY_ZONE_TEXT, "")
    packed = snapshot.packed.get(names.KEY_ZONE_PACKED) if snapshot and not text else None
    if packed:
        try:
            text = unpack(packed)
        except ValueError:
            return None
    return Published(int(serial), text) if serial.strip().isdecimal() and text else None


def empty_zone(config: AgentConfig) -> Published:
    """A zone without names and with a serial below every published one, for the operator to bring up to date."""
    soa = f"localhost. hostmaster.{config.domain}. 0 {names.SOA_TIMERS}"
    return Published(
        0,
        f"{config.domain}. {config.ttl_s} IN SOA {soa}\n{config.domain}. {config.ttl_s} IN NS localhost.\n",
    )


async def prepare_zone(folder: Path, config: AgentConfig, published: Published | None) -> str:
    """Make the zone file what named should start from, and say what was done.

    The node's own file and journal win unless the published serial is greater: named may have applied an UPDATE that
    the kubelet has not shown here yet.

    Raises:
        OSError: the file cannot be written.
    """
    file = folder / f"{config.domain}.zone"
    local = await local_serial(config.domain, file)
    best = published or empty_zone(config)
    if local is not None and not is_newer(best.serial, local):
        return f"zone {config.domain}: starting from this node's own serial {local}"
    write_file(file, best.text)
    for suffix in _JOURNALS:
        # An older journal does not fit the new file: named would answer SERVFAIL.
        file.with_name(file.name + suffix).unlink(missing_ok=True)
    return f"zone {config.domain}: starting from serial {best.serial}, this node had {local}"


async def local_serial(domain: str, file: Path) -> int | None:
    """The serial that named would load from the file and its journal, None when it would not load."""
    if read_file(file) is None:
        return None
    process = await asyncio.create_subprocess_exec(
        *("named-checkzone", "-j", "-i", "none", domain, str(file)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        output, _ = await asyncio.wait_for(process.communicate(), CHECK_TIMEOUT_S)
    except TimeoutError:
        process.kill()
        await process.wait()
        return None
    loaded = _LOADED.search(output)
    return int(loaded[1]) if process.returncode == 0 and loaded else None


def is_newer(serial: int, than: int) -> bool:
    """Whether the first serial follows the second (RFC 1982 section 3.2)."""
    return serial != than and (serial - than) % 2**32 < 2**31
