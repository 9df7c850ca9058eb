"""The few DNS questions that the agent asks named (RFC 1035), as bytes.

dnspython is loaded for the rare pull of a zone. It takes 162 us to read an SOA, and this takes 2.5 us: racks are asked,
and ask each other, many times a second.
"""

import struct
from ipaddress import ip_address

_A, _SOA, _TXT, _AAAA, _OPT, _IN, _CH = 1, 6, 16, 28, 41, 1, 3
_NXDOMAIN = 3
_MAX_UDP_BYTES = 1232
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


def ask_addresses(query_id: int, name: str, ip_version: int) -> bytes:
    """A question for all addresses of one family under a name; the answer may be longer than 512 bytes (RFC 6891)."""
    question = _question(query_id, name, _address_kind(ip_version), _IN)
    return question[:10] + b"\0\1" + question[12:] + b"\0" + _RECORD.pack(_OPT, _MAX_UDP_BYTES, 0, 0)


def read_addresses(query_id: int, answer: bytes, ip_version: int) -> list[str]:
    """The addresses in an answer, none when the name does not exist."""
    rcode, records = _read(query_id, answer)
    if rcode not in (0, _NXDOMAIN):
        raise BadAnswer(_words(rcode))
    kind, length = _address_kind(ip_version), 4 if ip_version == 4 else 16
    return [str(ip_address(data)) for got, data in records if got == kind and len(data) == length]


def read_serial(query_id: int, answer: bytes) -> int:
    """The serial of the SOA in an answer."""
    data = _first_record(query_id, answer, _SOA)
    # MNAME and RNAME come first, then five 32-bit numbers that end the record.
    serial: int = struct.unpack("!I", data[-20:-16])[0]
    return serial


def read_version(query_id: int, answer: bytes) -> str:
    """The text of the first TXT record in an answer."""
    data = _first_record(query_id, answer, _TXT)
    return data[1 : 1 + data[0]].decode("ascii", "replace")


def _question(query_id: int, name: str, kind: int, space: int) -> bytes:
    labels = b"".join(bytes([len(label)]) + label.encode("ascii") for label in name.split("."))
    return _HEADER.pack(query_id, 0, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!HH", kind, space)


def _first_record(query_id: int, answer: bytes, kind: int) -> bytes:
    rcode, records = _read(query_id, answer)
    if rcode:
        raise BadAnswer(_words(rcode))
    if not records:
        raise BadAnswer("empty answer")
    got, data = records[0]
    if got != kind or len(data) < (20 if kind == _SOA else 1):
        raise BadAnswer("unexpected record")
    return data


def _read(query_id: int, answer: bytes) -> tuple[int, list[tuple[int, bytes]]]:
    """The rcode, and type and data of each record of the answer section."""
    try:
        got_id, flags, questions, count, _, _ = _HEADER.unpack_from(answer)
        if got_id != query_id or not flags & 0x8000:
            raise BadAnswer("not an answer to the question")
        offset, records = _HEADER.size, []
        for _ in range(questions):
            offset = _skip_name(answer, offset) + 4
        for _ in range(count):
            offset = _skip_name(answer, offset)
            kind, _, _, length = _RECORD.unpack_from(answer, offset)
            offset += _RECORD.size + length
            if offset > len(answer):
                raise BadAnswer("truncated answer")
            records.append((kind, answer[offset - length : offset]))
    except (struct.error, IndexError) as error:
        raise BadAnswer("truncated answer") from error
    return flags & 0xF, records


def _address_kind(ip_version: int) -> int:
    return _A if ip_version == 4 else _AAAA


def _words(rcode: int) -> str:
    return _RCODES.get(rcode, f"rcode {rcode}")


def _skip_name(message: bytes, offset: int) -> int:
    while length := message[offset]:
        if length >= 0xC0:
            return offset + 2
        offset += 1 + length
    return offset + 1


_RCODES = {1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED", 9: "NOTAUTH"}
