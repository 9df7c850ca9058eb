"""rack.<domain> on a real rack: each machine gets the racks of its own subnet, and nobody else gets any."""

import subprocess
from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path

import dns.message
import dns.query
import dns.rcode
import dns.tsigkeyring
import dns.update
import pytest

from rackrelay import names
from rackrelay.agent.config.views import EVERYWHERE
from rackrelay.model.meta import Meta
from rackrelay.model.subnet import Subnet
from rackrelay.protocol.digest import config_digest
from tests.dataplane import site as place
from tests.dataplane.pod import wait_until
from tests.dataplane.site import Site, build_site
from tests.dataplane.test_dns import addresses, ask, ask_serial

pytestmark = pytest.mark.dataplane

NAME = names.rack_dns_name(place.DOMAIN)
FAR = Subnet(Meta("site", "far"), ip_network("10.99.0.0/24"))
# The machine of these tests, 10.10.0.101, is in all three.
INNER = Subnet(Meta("site", "inner"), ip_network("10.10.0.96/27"))


@pytest.fixture(scope="module")
def site(image_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site of this module's own, because these tests change what the rack serves."""
    with build_site(image_root, tmp_path_factory.mktemp("constant-name")) as built:
        yield built


def serve(site: Site, *subnets: Subnet) -> None:
    """Have the rack serve further Subnets and no others than those."""
    data = site.configure_rack(subnets=(*place.SUBNETS, *subnets))

    def applied() -> bool:
        config = site.status(site.rack)[1]["config"]
        return bool(config["hash"] == config_digest(data) and config["applied"])

    wait_until(applied, "the rack runs its new configuration", site.rack.log)


def set_address(site: Site, name: str, address: str) -> None:
    """Publish one name's address, as the operator does."""
    keyring = dns.tsigkeyring.from_text({site.tsig_name: site.tsig_secret})
    update = dns.update.UpdateMessage(place.DOMAIN, keyring=keyring)
    update.replace(f"{name}.", 15, "A", address)
    with site.spaces["region"].inside():
        assert dns.query.udp(update, place.RACK_IP, timeout=5).rcode() == dns.rcode.NOERROR


@pytest.mark.parametrize(
    ("server", "kind", "expected"),
    [
        (place.RACK_PROV, "A", [place.RACK_PROV]),
        (place.RACK_PROV6, "AAAA", [place.RACK_PROV6]),
        # Of the other family there are none, and that is no error: resolvers ask for both and use what they get.
        (place.RACK_PROV, "AAAA", []),
        (place.RACK_PROV6, "A", []),
    ],
)
def test_machine_gets_the_racks_of_the_subnet_that_it_asks_from(
    site: Site, server: str, kind: str, expected: list[str]
) -> None:
    answer = ask(site, "client", server, NAME, kind)
    assert answer.rcode() == dns.rcode.NOERROR
    assert [a for a in addresses(answer) if not a.endswith(".")] == expected


@pytest.mark.parametrize(
    ("server", "expected"), [(place.RACK_PROV, place.RACK_PROV), (place.RACK_PROV6, place.RACK_PROV6)]
)
def test_glibc_resolves_it(site: Site, tmp_path: Path, server: str, expected: str) -> None:
    (tmp_path / "resolv.conf").write_text(f"nameserver {server}\n")
    script = f"mount --bind {tmp_path}/resolv.conf /etc/resolv.conf && exec getent -s dns ahosts {NAME}"
    command = ["nsenter", f"--net={site.spaces['client'].path}", "unshare", "--mount", "sh", "-c", script]
    found = subprocess.run(command, capture_output=True, text=True, check=True, timeout=20).stdout
    assert {line.split()[0] for line in found.splitlines()} == {expected}


def test_its_use_is_not_logged(site: Site) -> None:
    ask(site, "client", place.RACK_PROV, NAME)
    assert "running" in site.rack.log("named")
    assert NAME not in site.rack.log("named")


@pytest.mark.parametrize("server", [place.RACK_PROV, place.RACK_IP])
def test_outside_every_subnet_it_does_not_exist_until_there_is_a_subnet(site: Site, server: str) -> None:
    assert ask(site, "stranger", server, NAME).rcode() == dns.rcode.NXDOMAIN
    set_address(site, names.subnet_dns_name(FAR.cidr, place.DOMAIN), place.RACK_STRANGE)
    serve(site, FAR)
    assert place.RACK_STRANGE in addresses(ask(site, "stranger", server, NAME))
    assert place.RACK_PROV in addresses(ask(site, "client", place.RACK_PROV, NAME))
    serve(site)
    assert ask(site, "stranger", server, NAME).rcode() == dns.rcode.NXDOMAIN
    assert not list(site.rack.execute("sh", "-c", "ls /run/rackrelay | grep 10-99").stdout)


def test_it_follows_an_update_at_once(site: Site) -> None:
    set_address(site, place.SUBNET_NAME, "10.10.0.77")
    assert "10.10.0.77" in addresses(ask(site, "client", place.RACK_PROV, NAME))
    set_address(site, place.SUBNET_NAME, place.RACK_PROV)
    assert place.RACK_PROV in addresses(ask(site, "client", place.RACK_PROV, NAME))


def test_longest_prefix_counts_and_a_subnet_without_dns_has_the_name_but_no_recursion(site: Site) -> None:
    set_address(site, names.subnet_dns_name(INNER.cidr, place.DOMAIN), "10.10.0.98")
    serve(site, Subnet(INNER.meta, INNER.cidr, allow_dns=False), Subnet(Meta("site", "wide"), ip_network("10.0.0.0/8")))
    assert "10.10.0.98" in addresses(ask(site, "client", place.RACK_PROV, NAME))
    assert ask(site, "client", place.RACK_PROV, "pool.example.").rcode() == dns.rcode.REFUSED
    assert addresses(ask(site, "client", place.RACK_PROV6, "pool.example.")) == [place.OUTSIDE]
    serve(site)
    assert place.RACK_PROV in addresses(ask(site, "client", place.RACK_PROV, NAME))


def test_subnet_without_a_name_hides_the_one_around_it(site: Site) -> None:
    serve(site, Subnet(INNER.meta, INNER.cidr, managed=False))
    assert ask(site, "client", place.RACK_PROV, NAME).rcode() == dns.rcode.NXDOMAIN
    assert addresses(ask(site, "client", place.RACK_PROV, "pool.example.")) == [place.OUTSIDE]
    serve(site)


def test_of_many_subnets_a_rack_knows_those_that_it_serves(site: Site) -> None:
    crowd = [Subnet(Meta("site", f"crowd{n}"), ip_network(f"172.20.{n}.0/24")) for n in range(EVERYWHERE)]
    serve(site, *crowd)
    for server in (place.RACK_PROV, place.RACK_PROV6):
        assert server in addresses(ask(site, "client", server, NAME, "AAAA" if ":" in server else "A"))
        assert addresses(ask(site, "client", server, "pool.example.")) == [place.OUTSIDE]
    assert b"172" not in site.rack.execute("ls", names.DIR_RUN).stdout
    serve(site)


@pytest.mark.parametrize("where", ["region", "stranger", "client"])
def test_operator_copies_the_zone_and_asks_for_its_serial_from_anywhere(site: Site, where: str) -> None:
    server = place.RACK_PROV if where == "client" else place.RACK_IP
    assert ask_serial(site, where, server, 53) >= place.ZONE_SERIAL
    query = dns.message.make_query(place.DOMAIN, "AXFR")
    with site.spaces[where].inside():
        assert dns.query.tcp(query, server, timeout=5).rcode() == dns.rcode.REFUSED
    query.use_tsig(dns.tsigkeyring.from_text({site.tsig_name: site.tsig_secret}))
    with site.spaces[where].inside():
        copied = dns.query.tcp(query, server, timeout=5)
    assert place.SUBNET_NAME in {rrset.name.to_text(omit_final_dot=True) for rrset in copied.answer}


def test_subnets_share_what_their_machines_asked_for(site: Site) -> None:
    assert addresses(ask(site, "client", place.RACK_PROV, "pool.example.")) == [place.OUTSIDE]
    site.region.stop_one("named", kill=True)
    assert addresses(ask(site, "client", place.RACK_PROV6, "pool.example.")) == [place.OUTSIDE]
    site.region.start_one("named")
    wait_until(lambda: site.all_well(site.region), "the region is well again", site.region.log)
