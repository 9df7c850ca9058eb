"""`kubectl describe subnet` shows which share of its machines each rack will get."""

from lab.apiserver import ApiServer
from rackrelay.controllers.resources.subnet import status_fields
from rackrelay.zone.decision import answer_subnets
from tests import gen
from tests.api.crds.resources import Resources

CIDR = "10.10.0.0/24"


def test_describe_shows_the_share_of_each_rack(api_server: ApiServer, resources: Resources) -> None:
    subnet = gen.subnet(CIDR, "prov")
    racks = [gen.view("a", "10.10.0.10"), gen.view("b", "10.10.0.40"), gen.view("c", "10.10.0.200")]
    status = status_fields(subnet, gen.region(), answer_subnets([subnet], racks)[subnet.cidr])
    created = gen.body("Subnet", "prov", {"cidr": CIDR})
    resources.create({**created, "metadata": {"name": "prov"}})
    assert resources.patch("Subnet", "prov", {"status": status}, status=True)["status"]["racks"] == status["racks"]
    words = api_server.kubectl("describe", "subnet", "prov").split()
    shares = [int(words[i + 2]) for i in range(len(words) - 2) if words[i : i + 2] == ["Share", "Percent:"]]
    assert shares == [25, 25, 50]
