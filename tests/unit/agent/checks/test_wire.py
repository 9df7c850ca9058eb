"""The agent's DNS messages against dnspython's."""

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rackrelay.agent.checks import wire

SOA = "localhost. hostmaster.maas-internal. 4294967295 3600 600 604800 1"


def answer(question: bytes, *records: tuple[str, str, str]) -> bytes:
    """An answer to a question, with (type, class, data) records under its name."""
    query = dns.message.from_wire(question)
    response = dns.message.make_response(query)
    for kind, space, data in records:
        response.answer.append(dns.rrset.from_text(query.question[0].name, 15, space, kind, data))
    return response.to_wire()


def test_questions_are_what_they_say() -> None:
    soa = dns.message.from_wire(wire.ask_soa(7, "maas-internal"))
    assert (soa.id, soa.question[0].to_text()) == (7, "maas-internal. IN SOA")
    version = dns.message.from_wire(wire.ask_version(8))
    assert (version.id, version.question[0].to_text()) == (8, "version.bind. CH TXT")


def test_answers_are_read() -> None:
    assert wire.read_serial(7, answer(wire.ask_soa(7, "maas-internal"), ("SOA", "IN", SOA))) == 4294967295
    assert wire.read_version(8, answer(wire.ask_version(8), ("TXT", "CH", '"abc123"'))) == "abc123"


@pytest.mark.parametrize("code", ["SERVFAIL", "REFUSED", "NOTAUTH"])
def test_error_codes_are_named(code: str) -> None:
    response = dns.message.make_response(dns.message.from_wire(wire.ask_soa(7, "maas-internal")))
    response.set_rcode(dns.rcode.from_text(code))
    with pytest.raises(wire.BadAnswer, match=code):
        wire.read_serial(7, response.to_wire())


def test_other_messages_are_no_answers() -> None:
    question = wire.ask_soa(7, "maas-internal")
    with pytest.raises(wire.BadAnswer, match="not an answer"):
        wire.read_serial(7, question)
    with pytest.raises(wire.BadAnswer, match="not an answer"):
        wire.read_serial(8, answer(question, ("SOA", "IN", SOA)))
    with pytest.raises(wire.BadAnswer, match="empty"):
        wire.read_serial(7, answer(question))
    with pytest.raises(wire.BadAnswer, match="unexpected"):
        wire.read_serial(7, answer(question, ("NS", "IN", "localhost.")))


@given(st.binary(max_size=200), st.integers(min_value=0, max_value=120))
def test_garbage_never_raises_anything_else(garbage: bytes, keep: int) -> None:
    whole = answer(wire.ask_soa(7, "maas-internal"), ("SOA", "IN", SOA))
    for message in (garbage, whole[:keep] + garbage):
        try:
            wire.read_serial(7, message)
            wire.read_version(7, message)
        except wire.BadAnswer:
            pass


@pytest.mark.parametrize(("version", "kind", "data"), [(4, "A", "10.0.0.1"), (6, "AAAA", "fd00::1")])
def test_addresses_of_one_family_are_read(version: int, kind: str, data: str) -> None:
    question = wire.ask_addresses(9, "a.maas-internal", version)
    parsed = dns.message.from_wire(question)
    assert (parsed.id, parsed.question[0].to_text(), parsed.payload) == (9, f"a.maas-internal. IN {kind}", 1232)
    other = ("AAAA", "fd00::2") if version == 4 else ("A", "10.0.0.2")
    records = ((kind, "IN", data), (other[0], "IN", other[1]))
    assert wire.read_addresses(9, answer(question, *records), version) == [data]


def test_long_answers_are_read_whole() -> None:
    question = wire.ask_addresses(9, "a.maas-internal", 4)
    response = dns.message.make_response(dns.message.from_wire(question))
    listed = [f"10.0.0.{n}" for n in range(60)]
    response.answer.append(dns.rrset.from_text("a.maas-internal.", 15, "IN", "A", *listed))
    assert sorted(wire.read_addresses(9, response.to_wire(), 4)) == sorted(listed)


def test_name_without_addresses_has_none_and_an_error_is_no_answer() -> None:
    question = wire.ask_addresses(9, "a.maas-internal", 4)
    response = dns.message.make_response(dns.message.from_wire(question))
    assert wire.read_addresses(9, response.to_wire(), 4) == []
    response.set_rcode(dns.rcode.NXDOMAIN)
    assert wire.read_addresses(9, response.to_wire(), 4) == []
    response.set_rcode(dns.rcode.SERVFAIL)
    with pytest.raises(wire.BadAnswer, match="SERVFAIL"):
        wire.read_addresses(9, response.to_wire(), 4)


@given(st.binary(max_size=200))
def test_garbage_is_no_list_of_addresses(data: bytes) -> None:
    with pytest.raises(wire.BadAnswer):
        wire.read_addresses(9, b"\0\7" + data, 4)
