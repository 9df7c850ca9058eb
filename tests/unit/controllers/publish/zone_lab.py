"""A region whose name servers are fakes on loopback, and the zones that they are brought to."""

from contextlib import ExitStack
from typing import Any

from rackrelay import names
from rackrelay.cluster.client import NODE, POD, RACK, REGION, SUBNET
from rackrelay.controllers.publish.zone import reconcile_zone
from rackrelay.controllers.state.region_state import RegionKeys
from rackrelay.manifests.configmaps import build_zone_config
from rackrelay.model.region import RegionController
from rackrelay.zone.plan import Zone
from rackrelay.zone.storage import read_zone
from tests import gen
from tests.fakes.name_server import FakeNameServer
from tests.unit.controllers.site import Site

REGION_ = gen.region()
NEXT = "10-10-1-0--24"


class Lab(ExitStack):
    """A region without pods and racks whose name servers are fakes on loopback, one an address."""

    def __init__(self, site: Site, port: int) -> None:
        super().__init__()
        self.site, self.port = site, port
        site.put(REGION, gen.body("RegionController", "demo", {"replicas": 2}))
        site.put(RACK, gen.body("RackController", "demo", {"pods": {"nodeSelector": gen.RACK_NODES}}))
        site.put(SUBNET, gen.body("Subnet", "prov", {"cidr": "10.10.0.0/24"}))
        site.regions[REGION_.meta.key].keys = RegionKeys(gen.KEY, b"agent key")

    def add_rack(self, number: int, zone: Zone | None = None) -> FakeNameServer:
        """A rack whose address on the subnet is 10.10.0.<number>."""
        self.add_pod(number)
        fake = FakeNameServer(zone or gen.zone(0), gen.KEY, f"127.54.0.{number}", self.port)
        self.enter_context(fake)
        return fake

    def add_pod(self, number: int, grace_s: int = 30) -> None:
        """The rack's pod, which is given so long to stop."""
        name, address = f"rack{number}", f"127.54.0.{number}"
        labels = {names.LABEL_COMPONENT: names.COMPONENT_RACK, names.LABEL_RACK_CONTROLLER: "demo"}
        self.site.put(NODE, {"metadata": {"name": name, "labels": gen.RACK_NODES}})
        metadata = {"namespace": gen.NAMESPACE, "name": f"demo-rack-{number}", "uid": name, "labels": labels}
        spec = {"nodeName": name, "terminationGracePeriodSeconds": grace_s}
        self.site.put(POD, {"metadata": metadata, "spec": spec, "status": {"podIP": address}})

    def see(self, number: int, serial: int, **status: Any) -> None:
        """The rack's DNS and agent have answered."""
        self.site.see(f"rack{number}", f"10.10.0.{number}/24", serial=serial, **status)

    def lose(self, number: int) -> None:
        """The rack's DNS has not answered for long."""
        self.site.lose(f"rack{number}")

    async def reconcile(self) -> None:
        await reconcile_zone(self.site, self.region)

    @property
    def region(self) -> RegionController:
        return self.site.inventory.regions(gen.NAMESPACE)[0]

    @property
    def kept(self) -> Zone | None:
        """The zone in the ConfigMap."""
        found = self.site.client.objects.get(("ConfigMap", gen.NAMESPACE, "demo-zone"))
        if found is None:
            return None
        zone = read_zone(found, gen.DOMAIN)
        assert found["data"][names.KEY_ZONE_SERIAL] == str(zone.serial)
        return zone


def zone_of(serial: int, *numbers: int) -> Zone:
    return Zone(gen.DOMAIN, 15, serial, {("10-10-0-0--24", "A"): tuple(f"10.10.0.{n}" for n in numbers)})


async def serve_two(lab: Lab) -> list[FakeNameServer]:
    """Racks 2 and 3 serve serial 1."""
    fakes = [lab.add_rack(2), lab.add_rack(3)]
    for number in (2, 3):
        lab.see(number, 0)
    await lab.reconcile()
    assert [f.zone for f in fakes] == [zone_of(1, 2, 3)] * 2
    lab.site.client.writes.clear()
    lab.site.waiting()
    return fakes


def zone_config(zone: Zone) -> gen.Manifest:
    return build_zone_config(gen.NAMESPACE, "demo", zone, None)
