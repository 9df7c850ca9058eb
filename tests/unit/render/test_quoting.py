"""What may stand in a configuration file, and what is refused with the field's name."""

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rackrelay.errors import InvalidSpec
from rackrelay.render import quoting


@pytest.mark.parametrize("text", ["maas-internal", "a.b.example", "a.b.example.", "_x.example", "1.demo.ns.rackrelay"])
def test_domain_names_pass_without_their_trailing_dot(text: str) -> None:
    assert quoting.domain_name("spec.domain", text) == text.removesuffix(".")


@pytest.mark.parametrize(
    "text",
    ["", ".", "a..b", "a b", 'a";', "a;b", "a{", "-a", "a-", "a\nb", "ä.example", "a" * 64, ".".join(["a" * 60] * 5)],
)
def test_other_texts_are_no_domain_names(text: str) -> None:
    with pytest.raises(InvalidSpec, match=r"^spec\.domain: "):
        quoting.domain_name("spec.domain", text)


@given(st.text())
def test_no_text_gets_out_of_a_domain_name(text: str) -> None:
    try:
        name = quoting.domain_name("f", text)
    except InvalidSpec:
        return
    assert all(c.isascii() and (c.isalnum() or c in "-_.") for c in name)


@pytest.mark.parametrize("text", ["10.0.0.1", "2001:db8::1"])
def test_addresses_pass(text: str) -> None:
    assert str(quoting.address("f", text)) == text


@pytest.mark.parametrize("text", ["", "10.0.0", "10.0.0.1/24", "10.0.0.1; }", "fe80::1%eth0", "::1\n", "host"])
def test_other_texts_are_no_addresses(text: str) -> None:
    with pytest.raises(InvalidSpec, match=r"^spec\.dns\.forwarders: "):
        quoting.address("spec.dns.forwarders", text)


def test_addresses_keep_their_order_and_come_once() -> None:
    assert [str(a) for a in quoting.addresses("f", ("10.0.0.2", "::1", "10.0.0.1", "10.0.0.2"))] == [
        "10.0.0.2",
        "::1",
        "10.0.0.1",
    ]


@pytest.mark.parametrize("number", [0, -1, 65536, True])
def test_impossible_ports_are_refused(number: int) -> None:
    with pytest.raises(InvalidSpec, match="port"):
        quoting.port("spec.http.port", number)


def test_ipv6_addresses_are_bracketed_before_a_port() -> None:
    assert quoting.host_port(ip_address("10.0.0.1"), 80) == "10.0.0.1:80"
    assert quoting.host_port(ip_address("2001:db8::1"), 80) == "[2001:db8::1]:80"


def test_networks_come_once_in_numeric_order_ipv4_first() -> None:
    texts = ["fd00::/64", "10.20.0.0/24", "9.0.0.0/8", "10.20.0.0/24", "10.20.0.0/16"]
    assert [str(n) for n in quoting.networks([ip_network(t) for t in texts])] == [
        "9.0.0.0/8",
        "10.20.0.0/16",
        "10.20.0.0/24",
        "fd00::/64",
    ]
