"""spec.servedBy on a real rack: a machine in a VLAN without a rack, which a router brings to the racks of another one.

machine -- vlan -- client (routes) -- prov -- rack
"""

import http.client
from collections.abc import Iterator
from contextlib import ExitStack
from ipaddress import ip_network
from pathlib import Path

import dns.message
import dns.query
import dns.rcode
import dns.tsigkeyring
import dns.update
import pytest

from rackrelay import names
from rackrelay.model.meta import Meta
from rackrelay.model.subnet import Subnet
from rackrelay.protocol.digest import config_digest
from rackrelay.zone.decision import answer_subnets
from rackrelay.zone.rule import build_rrsets
from tests import gen
from tests.dataplane import site as place
from tests.dataplane.netns import connect, give, namespaces
from tests.dataplane.pod import wait_until
from tests.dataplane.site import Site, build_site
from tests.dataplane.test_dns import addresses, ask

pytestmark = pytest.mark.dataplane

VLAN = Subnet(Meta("site", "vlan"), ip_network("10.30.0.0/24"), served_by="four")
NO_DNS = Subnet(Meta("site", "vlan"), ip_network("10.30.0.0/24"), served_by="four", allow_dns=False, allow_proxy=False)
NAME = names.rack_dns_name(place.DOMAIN)


@pytest.fixture(scope="module")
def site(image_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site with a machine behind a router."""
    with ExitStack() as stack:
        built = stack.enter_context(build_site(image_root, tmp_path_factory.mktemp("relay")))
        built.spaces |= stack.enter_context(namespaces("machine"))
        machine, router, rack = built.spaces["machine"], built.spaces["client"], built.spaces["rack"]
        connect(machine, "vlan0", router, "vlan0")
        give(machine, "vlan0", "10.30.0.5/24")
        give(router, "vlan0", "10.30.0.1/24")
        router.sysctl("net.ipv4.ip_forward", "1")
        machine.ip("route", "add", "default", "via", "10.30.0.1")
        rack.ip("route", "add", "10.30.0.0/24", "via", place.CLIENT)
        publish(built)
        yield built


def publish(site: Site) -> None:
    """The relayed Subnet's name, as the operator has it."""
    answers = answer_subnets([*place.SUBNETS, VLAN], [gen.view("rack1", place.RACK_PROV, place.RACK_PROV6)])
    ((label, kind), texts), *_ = build_rrsets(answers, [VLAN.cidr]).items()
    keyring = dns.tsigkeyring.from_text({site.tsig_name: site.tsig_secret})
    update = dns.update.UpdateMessage(place.DOMAIN, keyring=keyring)
    update.replace(label, 15, kind, *texts)
    with site.spaces["region"].inside():
        assert dns.query.udp(update, place.RACK_IP, timeout=5).rcode() == dns.rcode.NOERROR


def serve(site: Site, *subnets: Subnet) -> None:
    """Have the rack serve these Subnets besides its own."""
    data = site.configure_rack(subnets=(*place.SUBNETS, *subnets))

    def applied() -> bool:
        config = site.status(site.rack)[1]["config"]
        return bool(config["hash"] == config_digest(data) and config["applied"])

    wait_until(applied, "the rack runs its new configuration", site.rack.log)


def fetch(site: Site, port: int, url: str) -> int | None:
    """The HTTP status that the machine gets from the rack; None when the rack hangs up."""
    with site.spaces["machine"].inside():
        connection = http.client.HTTPConnection(place.RACK_PROV, port, timeout=10)
        try:
            connection.request("GET", url)
            return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()


def test_machine_of_a_relayed_vlan_is_a_stranger_until_there_is_a_subnet(site: Site) -> None:
    serve(site)
    assert ask(site, "machine", place.RACK_PROV, NAME).rcode() == dns.rcode.NXDOMAIN
    assert ask(site, "machine", place.RACK_PROV, "pool.example.").rcode() == dns.rcode.REFUSED
    assert fetch(site, names.PORT_RACK_HTTP, "/MAAS/metadata/") == 403
    assert fetch(site, names.PORTS_RACK_PROXY[0], "http://pool.example/hello") is None


def test_machine_of_a_relayed_vlan_is_served_by_the_racks_of_the_other_subnet(site: Site) -> None:
    serve(site, VLAN)
    own = names.subnet_dns_name(VLAN.cidr, place.DOMAIN)
    assert addresses(ask(site, "machine", place.RACK_PROV, f"{own}.")) == [place.RACK_PROV]
    assert place.RACK_PROV in addresses(ask(site, "machine", place.RACK_PROV, NAME))
    assert addresses(ask(site, "machine", place.RACK_PROV, "pool.example.")) == [place.OUTSIDE]
    assert fetch(site, names.PORT_RACK_HTTP, "/MAAS/metadata/") == 200
    assert fetch(site, names.PORTS_RACK_PROXY[0], "http://pool.example/hello") == 200


def test_relayed_subnet_has_its_own_permissions(site: Site) -> None:
    serve(site, NO_DNS)
    assert place.RACK_PROV in addresses(ask(site, "machine", place.RACK_PROV, NAME))
    assert ask(site, "machine", place.RACK_PROV, "pool.example.").rcode() == dns.rcode.REFUSED
    assert fetch(site, names.PORTS_RACK_PROXY[0], "http://pool.example/hello") is None
    assert fetch(site, names.PORT_RACK_HTTP, "/MAAS/metadata/") == 200
    assert addresses(ask(site, "client", place.RACK_PROV, "pool.example.")) == [place.OUTSIDE]
