"""Enough of DNS (RFC 1035, RFC 6891) for an upstream server that knows one small domain."""

import ipaddress
import struct
from collections.abc import Mapping
from dataclasses import dataclass

_A, _NS, _SOA, _AAAA, _OPT, _ANY = 1, 2, 6, 28, 41, 255
_FORMERR, _NXDOMAIN, _NOTIMP = 1, 3, 4
_TTL_S = 30


@dataclass(frozen=True)
class Zone:
    """A domain and the addresses of the names in it."""

    domain: str
    addresses: Mapping[str, str]


def answer_query(zone: Zone, query: bytes) -> tuple[bytes | None, str]:
    """The answer to a query, and words for a log. None for what is no query at all."""
    if len(query) < 12 or query[2] & 0x80:
        return None, "no query"
    flags, questions = struct.unpack("!HH", query[2:6])
    if flags & 0x7800 or questions != 1:
        return _message(query[:4], _NOTIMP, b"", ([], [], [])), "not implemented"
    try:
        name, end = _read_name(query, 12)
        kind, _ = struct.unpack("!HH", query[end : end + 4])
    except (IndexError, struct.error, UnicodeDecodeError):
        return _message(query[:4], _FORMERR, b"", ([], [], [])), "malformed"
    code, answers, authority = _resolve(zone, name.lower(), kind)
    additional = [_opt()] if query[10:12] != b"\0\0" else []
    question = query[12 : end + 4]
    message = _message(query[:4], code, question, (answers, authority, additional))
    return message, f"{name} type {kind}: code {code}, {len(answers)} answers"


def _resolve(zone: Zone, name: str, kind: int) -> tuple[int, list[bytes], list[bytes]]:
    """Response code, answers and authority. Names outside of the domain do not exist: this is the whole world."""
    soa = _record(zone.domain, _SOA, _soa(zone.domain))
    if name == zone.domain:
        apex = {_SOA: soa, _NS: _record(name, _NS, _write_name(f"ns.{name}"))}
        answers = [record for own, record in apex.items() if kind in (own, _ANY)]
        return 0, answers, [] if answers else [soa]
    text = zone.addresses.get(name)
    if text is None:
        inside = name.endswith(f".{zone.domain}")
        return _NXDOMAIN, [], [soa if inside else _record("", _SOA, _soa(zone.domain))]
    address = ipaddress.ip_address(text)
    own = _A if address.version == 4 else _AAAA
    answers = [_record(name, own, address.packed)] if kind in (own, _ANY) else []
    return 0, answers, [] if answers else [soa]


def _message(asked: bytes, code: int, question: bytes, sections: tuple[list[bytes], ...]) -> bytes:
    """A message with answers, authority and additional records; `asked` starts with the query's id and flags."""
    identity, flags = struct.unpack("!HH", asked)
    # An authoritative answer; opcode and RD as asked, recursion available: to forwarders this is the internet.
    answered = 0x8480 | flags & 0x7900 | code
    head = struct.pack("!HHHHHH", identity, answered, 1 if question else 0, *(len(section) for section in sections))
    return head + question + b"".join(record for section in sections for record in section)


def _record(name: str, kind: int, data: bytes) -> bytes:
    return _write_name(name) + struct.pack("!HHIH", kind, 1, _TTL_S, len(data)) + data


def _opt() -> bytes:
    return b"\0" + struct.pack("!HHIH", _OPT, 1232, 0, 0)


def _soa(domain: str) -> bytes:
    return _write_name(f"ns.{domain}") + _write_name(f"root.{domain}") + struct.pack("!IIIII", 1, 600, 60, 86400, 30)


def _write_name(name: str) -> bytes:
    labels = [label.encode() for label in name.split(".") if label]
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def _read_name(message: bytes, at: int) -> tuple[str, int]:
    """The name at that place, and where it ends. A question's name is never compressed."""
    labels = []
    while size := message[at]:
        if size > 63:
            raise IndexError(at)
        labels.append(message[at + 1 : at + 1 + size].decode("ascii"))
        at += 1 + size
    return ".".join(labels), at + 1
