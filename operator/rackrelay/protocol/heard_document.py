"""What a region replica hears of racks: what the operator asks at /heard, and what the agent there answers.

The answer is put together from bytes: a thousand racks may change at once, and their statuses are JSON already.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from rackrelay.protocol import versions
from rackrelay.protocol.status_document import AgentStatus, parse_agent_status

LONGEST_WAIT_S = 2.0


@dataclass(frozen=True)
class HeardRack:
    """What a region replica heard of one rack. `status` is None when it sent none that can be read."""

    heard: bool
    serial: int | None = None
    status: AgentStatus | None = None


@dataclass(frozen=True)
class Cursor:
    """How far one has followed what a region replica hears; the default is not at all."""

    version: int = 0
    epoch: str = ""


@dataclass(frozen=True)
class Heard:
    """What a region replica heard since a Cursor: of all racks when it is `full`, else of those that changed."""

    version: int
    epoch: str
    full: bool
    racks: Mapping[str, HeardRack] = field(default_factory=dict)

    @property
    def cursor(self) -> Cursor:
        """Where to go on."""
        return Cursor(self.version, self.epoch)


def parse_heard(document: Mapping[str, Any]) -> Heard:
    """Heard from the JSON document that a region's agent answers at /heard.

    Raises:
        KeyError, ValueError, TypeError, AttributeError: the document is not of the agreed form.
    """
    versions.check_version(document, "what the region hears")
    racks = {name: _parse_rack(entry) for name, entry in document["racks"].items()}
    return Heard(int(document["version"]), str(document["epoch"]), bool(document["full"]), racks)


def _parse_rack(entry: Mapping[str, Any]) -> HeardRack:
    try:
        status = parse_agent_status(entry["status"]) if entry["status"] else None
    except (KeyError, ValueError, TypeError, AttributeError):
        # One rack of another release must not hide what is heard of all the others.
        status = None
    return HeardRack(bool(entry["heard"]), entry["serial"], status)


def build_heard_query(cursor: Cursor, wait_s: float) -> str:
    """The query that asks for what came after a Cursor, and to be answered after so long if nothing does: two seconds
    at most."""
    return urlencode({"since": cursor.version, "epoch": cursor.epoch, "wait": f"{wait_s:g}"})


def read_heard_query(query: Mapping[str, str]) -> tuple[Cursor, float]:
    """Where to go on, and how many seconds may pass.

    Raises:
        ValueError: since or wait is no number.
    """
    since, wait = query.get("since", "0"), query.get("wait", "0")
    if len(since) > 18 or len(wait) > 18 or not since.isascii() or not since.isdigit():
        raise ValueError("since is no version")
    wait_s = min(float(wait), LONGEST_WAIT_S)
    if not wait_s >= 0:
        raise ValueError("wait is no time")
    return Cursor(int(since), query.get("epoch", "")), wait_s


def build_heard_rack(node: str, heard: bool, serial: int | None, status: bytes) -> bytes:
    """One rack's part of the answer. `status` is its document as text, `null` without one."""
    flag = b"true" if heard else b"false"
    number = b"null" if serial is None else b"%d" % serial
    return b'%s:{"heard":%s,"serial":%s,"status":%s}' % (json.dumps(node).encode(), flag, number, status)


def build_heard(cursor: Cursor, full: bool, racks: Iterable[bytes]) -> bytes:
    """The answer; `cursor` is where to go on."""
    head = b'{"%s":%d,"version":%d,"epoch":"%s","full":%s' % (
        versions.FIELD.encode(),
        versions.WRITTEN,
        cursor.version,
        cursor.epoch.encode(),
        b"true" if full else b"false",
    )
    return head + b',"racks":{' + b",".join(racks) + b"}}"
