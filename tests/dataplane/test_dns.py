"""The rack's named for machines, for strangers and for the operator, with real daemons behind it."""

import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.tsigkeyring
import dns.update
import pytest

from tests.dataplane import site as place
from tests.dataplane.site import Site

pytestmark = pytest.mark.dataplane

NEW_NAME = f"10-20-0-0--24.{place.DOMAIN}"


def ask(site: Site, where: str, server: str, name: str, kind: str = "A") -> dns.message.Message:
    """The answer that somebody in a namespace gets."""
    with site.spaces[where].inside():
        return dns.query.udp(dns.message.make_query(name, kind), server, timeout=5)


def addresses(answer: dns.message.Message) -> list[str]:
    """All addresses of the answer section."""
    return sorted(rdata.to_text() for rrset in answer.answer for rdata in rrset)


def send_update(site: Site, where: str, server: str, port: int, serial: int, *, signed: bool) -> dns.rcode.Rcode:
    """The operator's kind of UPDATE: the old SOA as prerequisite, a record, the SOA with the next serial."""
    keyring = dns.tsigkeyring.from_text({site.tsig_name: site.tsig_secret}) if signed else None
    update = dns.update.UpdateMessage(place.DOMAIN, keyring=keyring)
    soa = f"localhost. hostmaster.{place.DOMAIN}. {{}} 3600 600 604800 1"
    update.present("@", "SOA", soa.format(serial))
    update.replace(NEW_NAME + ".", 15, "A", "10.20.0.3")
    update.replace("@", 15, "SOA", soa.format(serial + 1))
    with site.spaces[where].inside():
        return dns.query.udp(update, server, port=port, timeout=5).rcode()


@pytest.mark.parametrize("server", [place.RACK_PROV, place.RACK_PROV6])
def test_machine_resolves_the_name_of_its_subnet(site: Site, server: str) -> None:
    answer = ask(site, "client", server, place.SUBNET_NAME)
    assert addresses(answer) == [place.RACK_PROV]
    assert answer.flags & dns.flags.AA
    assert answer.answer[0].ttl == 15


def test_other_names_go_through_the_region_to_the_forwarders(site: Site) -> None:
    answer = ask(site, "client", place.RACK_PROV, "pool.example.")
    assert addresses(answer) == [place.OUTSIDE]
    assert "pool.example." in site.outside.questions


@pytest.mark.parametrize("server", [place.RACK_PROV, place.RACK_IP])
def test_stranger_is_refused_recursion_and_told_the_internal_zone(site: Site, server: str) -> None:
    assert ask(site, "stranger", server, "pool.example.").rcode() == dns.rcode.REFUSED
    assert addresses(ask(site, "stranger", server, place.SUBNET_NAME)) == [place.RACK_PROV]


def test_region_recurses_for_racks_and_not_for_the_outside(site: Site) -> None:
    query = dns.message.make_query("pool.example.", "A")
    with site.spaces["rack"].inside():
        from_rack = dns.query.udp(query, place.REGION_IP, port=5242, timeout=5)
    with site.spaces["outside"].inside():
        from_outside = dns.query.udp(query, "203.0.113.2", port=5242, timeout=5)
    assert addresses(from_rack) == [place.OUTSIDE]
    assert from_outside.rcode() == dns.rcode.REFUSED


@pytest.mark.parametrize("server", [place.RACK_PROV, place.RACK_IP])
def test_nobody_transfers_the_zone_without_the_key(site: Site, server: str) -> None:
    with site.spaces["client"].inside():
        answer = dns.query.tcp(dns.message.make_query(place.DOMAIN, "AXFR"), place.RACK_PROV, timeout=5)
    assert answer.rcode() == dns.rcode.REFUSED


def test_unsigned_update_is_refused_and_the_operators_is_applied_by_rack_and_region(site: Site) -> None:
    for where, server, port in (("region", place.RACK_IP, 53), ("rack", place.REGION_IP, 5242)):
        before = ask_serial(site, where, server, port)
        assert send_update(site, where, server, port, before, signed=False) == dns.rcode.REFUSED
        assert ask_serial(site, where, server, port) == before
        assert send_update(site, where, server, port, before, signed=True) == dns.rcode.NOERROR
        assert ask_serial(site, where, server, port) == before + 1
    assert addresses(ask(site, "client", place.RACK_PROV, NEW_NAME)) == ["10.20.0.3"]


def ask_serial(site: Site, where: str, server: str, port: int, timeout_s: float = 5) -> int:
    """The serial that a name server serves."""
    with site.spaces[where].inside():
        answer = dns.query.udp(dns.message.make_query(place.DOMAIN, "SOA"), server, port=port, timeout=timeout_s)
    return int(answer.answer[0][0].serial)
