"""The two DNS questions that the agent asks its own named (RFC 1035), without a DNS library's weight in memory."""

import struct

_SOA, _TXT, _IN, _CH = 6, 16, 1, 3
_HEADER = struct.Struct("!HHHHHH")
_RECORD = struct.Struct("!HHIH")


class BadAnswer(ValueError):
    """The answer is none, refuses, or does not hold what was asked for."""


def ask_soa(query_id: int, zone: str) -> bytes:
    """A question for the zone's SOA."""
    return _question(query_id, zone, _SOA, _IN)


def ask_version(query_id: int) -> bytes:
    """A question for version.bind, which named answers with the `version` of its options."""
    return _question(query_id, "version.bind", _TXT, _CH)


def read_serial(query_id: int, answer: bytes) -> int:
    """The serial of the SOA in an answer."""
    data, _ = _first_record(query_id, answer, _SOA)
    # MNAME and RNAME come first, then five 32-bit numbers that end the record.
    serial: int = struct.unpack("!I", data[-20:-16])[0]
    return serial


def read_version(query_id: int, answer: bytes) -> str:
    """The text of the first TXT record in an answer."""
    data, _ = _first_record(query_id, answer, _TXT)
    return data[1 : 1 + data[0]].decode("ascii", "replace")


def _question(query_id: int, name: str, kind: int, space: int) -> bytes:
    labels = b"".join(bytes([len(label)]) + label.encode("ascii") for label in name.split("."))
    return _HEADER.pack(query_id, 0, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!HH", kind, space)


def _first_record(query_id: int, answer: bytes, kind: int) -> tuple[bytes, int]:
    try:
        got_id, flags, questions, answers, _, _ = _HEADER.unpack_from(answer)
        if got_id != query_id or not flags & 0x8000:
            raise BadAnswer("not an answer to the question")
        if flags & 0xF:
            raise BadAnswer(_RCODES.get(flags & 0xF, f"rcode {flags & 0xF}"))
        offset = _HEADER.size
        for _ in range(questions):
            offset = _skip_name(answer, offset) + 4
        if not answers:
            raise BadAnswer("empty answer")
        offset = _skip_name(answer, offset)
        got_kind, _, ttl, length = _RECORD.unpack_from(answer, offset)
        data = answer[offset + _RECORD.size : offset + _RECORD.size + length]
    except (struct.error, IndexError) as error:
        raise BadAnswer("truncated answer") from error
    if got_kind != kind or len(data) < length or length < (20 if kind == _SOA else 1):
        raise BadAnswer("unexpected record")
    return data, ttl


def _skip_name(message: bytes, offset: int) -> int:
    while length := message[offset]:
        if length >= 0xC0:
            return offset + 2
        offset += 1 + length
    return offset + 1


_RCODES = {1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED", 9: "NOTAUTH"}
