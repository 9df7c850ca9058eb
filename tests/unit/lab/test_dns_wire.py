"""The upstream DNS server's answers, read by dnspython."""

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import pytest

from lab.dns_wire import Zone, answer_query

ZONE = Zone("lab.test", {"archive.lab.test": "203.0.113.80", "six.lab.test": "2001:db8::1"})


def ask(name: str, kind: str, **options: bool) -> dns.message.Message:
    query = dns.message.make_query(name, kind, **options)  # type: ignore[arg-type]
    wire, _ = answer_query(ZONE, query.to_wire())
    assert wire is not None
    answer = dns.message.from_wire(wire)
    assert query.is_response(answer)
    return answer


@pytest.mark.parametrize(
    ("name", "kind", "answer"),
    [
        ("archive.lab.test", "A", "203.0.113.80"),
        ("ARCHIVE.Lab.Test", "A", "203.0.113.80"),
        ("six.lab.test", "AAAA", "2001:db8::1"),
        ("lab.test", "NS", "ns.lab.test."),
    ],
)
def test_answers(name: str, kind: str, answer: str) -> None:
    message = ask(name, kind)
    assert message.flags & dns.flags.AA
    assert [str(item) for rrset in message.answer for item in rrset] == [answer]


def test_a_name_without_that_type_has_an_empty_answer_and_a_soa() -> None:
    message = ask("archive.lab.test", "AAAA")
    assert (message.rcode(), message.answer) == (dns.rcode.NOERROR, [])
    assert message.authority[0].rdtype == dns.rdatatype.SOA


@pytest.mark.parametrize("name", ["nothing.lab.test", "example.com"])
def test_unknown_names_do_not_exist(name: str) -> None:
    message = ask(name, "A")
    assert message.rcode() == dns.rcode.NXDOMAIN
    assert message.authority[0].rdtype == dns.rdatatype.SOA


def test_edns_is_answered_with_edns_only_when_asked() -> None:
    assert ask("archive.lab.test", "A", use_edns=True).edns == 0
    assert ask("archive.lab.test", "A", use_edns=False).edns == -1


def test_what_is_no_query() -> None:
    assert answer_query(ZONE, b"")[0] is None
    response = dns.message.make_response(dns.message.make_query("lab.test", "A"))
    assert answer_query(ZONE, response.to_wire())[0] is None


def test_malformed_and_unknown_queries() -> None:
    head = bytes.fromhex("00010100 0001 0000 0000 0000")
    wire, _ = answer_query(ZONE, head + b"\x3flab")
    assert dns.message.from_wire(wire or b"").rcode() == dns.rcode.FORMERR
    notify = bytes.fromhex("0001 2000 0001 0000 0000 0000") + b"\x03lab\x04test\x00\x00\x06\x00\x01"
    wire, _ = answer_query(ZONE, notify)
    assert dns.message.from_wire(wire or b"").rcode() == dns.rcode.NOTIMP
