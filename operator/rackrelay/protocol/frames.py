"""What rack and region say to each other in a heartbeat session: lines of JSON, each signed. Pure.

The region speaks first: {"nonce"}. The rack's first frame is {"node", "serial", "seq", "challenge", "mac"} and small,
because the region does not know yet whether it may believe it. Later ones are {"node", "serial", "seq", "mac"}, with
"status" where that is new. The first one, and each one after which the rack beats at another pace, has the "interval"
in milliseconds: a region and its racks read a changed configuration at different moments. Each is answered by
{"serial", "seq", "mac"}. `seq` counts from 1 on both sides and is never taken from the message, so a frame that is
repeated, left out or moved has the wrong signature.
"""

import json
from dataclasses import dataclass
from typing import Any

from rackrelay.protocol import signing, versions

FRAME_LIMIT_BYTES = 256 * 1024
LONGEST_INTERVAL_MS = 60_000
# Before anything is proven.
GREETING_LIMIT_BYTES = 4096

NONCE_BYTES = 16
_MAC_KEY = b',"mac":"'
_MAC_HEX = 64
_TAIL_BYTES = len(_MAC_KEY) + _MAC_HEX + len(b'"}')


class BadFrame(ValueError):
    """Not a frame of this session at this place."""


@dataclass(frozen=True)
class Beat:
    """What one frame of a rack says. `status` is the document as text, `interval_s` when the next frame is due; None
    means what was said before."""

    node: str
    serial: int | None
    status: bytes | None = None
    challenge: str = ""
    interval_s: float | None = None


def build_hello(nonce: str) -> bytes:
    """The line that a region sends first."""
    return b'{"%s":%d,"nonce":"%s"}\n' % (versions.FIELD.encode(), versions.WRITTEN, nonce.encode())


def parse_hello(line: bytes) -> str:
    """The nonce that a region sent first.

    Raises:
        BadFrame: that is not what it sent.
    """
    hello = _parse(line.rstrip(b"\n"))
    _check_version(hello)
    nonce = hello.get("nonce")
    if not isinstance(nonce, str) or len(nonce) != 2 * NONCE_BYTES:
        raise BadFrame("no nonce")
    return nonce


def beat_prefix(node: str, serial: int | None) -> bytes:
    """What a rack's frames begin with until its serial changes; `seq` follows."""
    return b'{"node":%s,"serial":%s,"seq":' % (json.dumps(node).encode(), _number(serial))


def answer_prefix(serial: int | None) -> bytes:
    """What a region's answers begin with until its serial changes; `seq` follows."""
    return b'{"serial":%s,"seq":' % _number(serial)


def seal(body: bytes, mac: str) -> bytes:
    """A line of a JSON object and its signature."""
    return b'%s,"mac":"%s"}\n' % (body[:-1], mac.encode())


def unseal(line: bytes) -> tuple[bytes, str]:
    """The JSON object's bytes as they were signed, and the signature. `line` is without its line feed.

    Raises:
        BadFrame: there is no signature at the end of it.
    """
    tail = line[-_TAIL_BYTES:]
    if len(line) <= _TAIL_BYTES or not tail.startswith(_MAC_KEY) or not tail.endswith(b'"}'):
        raise BadFrame("not signed")
    return line[:-_TAIL_BYTES] + b"}", tail[len(_MAC_KEY) : -2].decode("latin-1")


def sign_beat(key: bytes, nonce: str, seq: int, body: bytes) -> bytes:
    """A rack's frame, ready to send."""
    return seal(body, signing.sign_beat(key, nonce, seq, body))


def open_beat(key: bytes, nonce: str, seq: int, line: bytes) -> bytes:
    """The body of a rack's frame.

    Raises:
        BadFrame: it is not signed for this place of this session.
    """
    body, mac = unseal(line)
    if not signing.matches(signing.sign_beat(key, nonce, seq, body), mac):
        raise BadFrame("wrong signature")
    return body


def parse_beat(body: bytes) -> Beat:
    """What the body of a frame says.

    Raises:
        BadFrame: it says something else than racks do.
    """
    document = _parse(body)
    _check_version(document)
    node, serial, status = document.get("node"), document.get("serial"), document.get("status")
    challenge = document.get("challenge", "")
    if not isinstance(node, str) or not 0 < len(node) <= 253 or not isinstance(challenge, str):
        raise BadFrame("no node")
    if status is not None and not isinstance(status, dict):
        raise BadFrame("status is no document")
    interval_s = _read_interval(document.get("interval"))
    return Beat(node, _read_serial(serial), None if status is None else _dump(status), challenge, interval_s)


def sign_answer(key: bytes, nonce: str, seq: int, body: bytes) -> bytes:
    """A region's answer, ready to send."""
    return seal(body, signing.sign_beat_answer(key, nonce, seq, body))


def open_answer(key: bytes, nonce: str, seq: int, line: bytes) -> int | None:
    """The serial that a region serves, from its answer.

    Raises:
        BadFrame: the answer is not signed for this place of this session.
    """
    body, mac = unseal(line)
    if not signing.matches(signing.sign_beat_answer(key, nonce, seq, body), mac):
        raise BadFrame("wrong signature")
    return _read_serial(_parse(body).get("serial"))


def first_fields(challenge: str) -> bytes:
    """What a rack's first frame says besides: its challenge to the region, and in which form it speaks."""
    return b',"%s":%d,"challenge":"%s"' % (versions.FIELD.encode(), versions.WRITTEN, challenge.encode())


def _check_version(document: dict[str, Any]) -> None:
    try:
        versions.check_version(document, "the other side")
    except versions.UnknownVersion as error:
        raise BadFrame(str(error)) from error


def _parse(text: bytes) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadFrame("not JSON") from error
    if not isinstance(document, dict):
        raise BadFrame("not a JSON object")
    return document


def _read_serial(serial: object) -> int | None:
    if serial is not None and (type(serial) is not int or not 0 <= serial < 2**32):
        raise BadFrame("serial is no serial")
    return serial


def _read_interval(interval: object) -> float | None:
    if interval is None:
        return None
    if type(interval) is not int or not 0 < interval <= LONGEST_INTERVAL_MS:
        raise BadFrame("interval is no pace")
    return interval / 1000


def _number(serial: int | None) -> bytes:
    return b"null" if serial is None else b"%d" % serial


def _dump(document: object) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()
