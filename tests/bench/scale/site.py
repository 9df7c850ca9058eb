"""An API server with the objects of a large site, the operator, and the fakes that answer for its racks."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from lab.apiserver import ApiServer
from lab.paths import REPOSITORY
from rackrelay import names
from rackrelay.cluster.client import DAEMON_SET, POD, RACK, STATEFUL_SET, Kind
from rackrelay.zone.plan import zone_text
from tests.api.operator.cluster import install_definitions, wait_for
from tests.api.operator.rig import DOMAIN, REGION_NAME, Rig, open_rig
from tests.bench.processes import Process
from tests.bench.scale.fake_racks import FakeRack, Site
from tests.dataplane.netns import Namespace, give, namespaces

REGION = "127.60.250.1"
RACKS_A_SUBNET = 2
WORKLOADS = {DAEMON_SET: names.rack_workload(REGION_NAME), STATEFUL_SET: names.region_workload(REGION_NAME)}
PATIENCE_S = 600.0


@dataclass
class LargeSite:
    """A rig with its fakes. The operator is not started yet."""

    rig: Rig
    racks: tuple[FakeRack, ...]
    fakes: "subprocess.Popen[str]"

    def counts(self, address: str = "") -> dict[str, Any]:
        """What the fakes have been asked so far, and whether their zone `has` an address."""
        assert self.fakes.stdin is not None
        assert self.fakes.stdout is not None
        self.fakes.stdin.write(f"{address}\n")
        self.fakes.stdin.flush()
        counts: dict[str, Any] = json.loads(self.fakes.stdout.readline())
        return counts

    def writes(self) -> int:
        """Writes of the operator to the API so far; those to Nodes are the bench's own."""
        return sum(count for what, count in self.rig.cluster.count_writes().items() if not what.endswith(" nodes"))

    @property
    def operator(self) -> Process:
        """The operator's process."""
        return Process(self.rig.operator.pid)

    def wait_published(self) -> None:
        """The fakes serve a zone with every rack. The API server is left to the operator meanwhile."""
        wait_for(
            "all racks are in the zone",
            lambda: self.counts()["addresses"] == len(self.racks),
            lambda: self.rig.operator.log[-4000:],
            PATIENCE_S,
        )

    def healthy(self) -> int:
        """How many racks the operator thinks are healthy."""
        status = (self.rig.get(RACK, REGION_NAME) or {}).get("status", {})
        return int(status.get("racks", {}).get("healthy", 0))


@contextmanager
def open_large_site(folder: Path, count: int, loss: float = 0.0) -> Iterator[LargeSite]:
    """A site of so many racks in a network namespace of its own, where so great a share of all datagrams is lost."""
    with namespaces("scale") as spaces, spaces["scale"].inside(), _open_server(spaces["scale"]) as server:
        install_definitions(server)
        with open_rig(server, folder) as rig:
            racks = tuple(_rack(number) for number in range(count))
            _lay_out(rig, count // RACKS_A_SUBNET)
            for rack in racks:
                rig.add_node(rack.name, rack.address)
                start_pod(rig, DAEMON_SET, f"{names.rack_workload(REGION_NAME)}-{rack.name}", rack)
            region = FakeRack("region1", REGION, ())
            rig.add_node(region.name, region.address, "region")
            start_pod(rig, STATEFUL_SET, names.region_replica(REGION_NAME, 0), region)
            with _run_fakes(rig, racks, loss) as fakes:
                yield LargeSite(rig, racks, fakes)


@contextmanager
def _open_server(namespace: Namespace) -> Iterator[ApiServer]:
    # The API server does not start without an address that it could give to others.
    namespace.ip("link", "add", "out0", "type", "veth", "peer", "name", "out1")
    for link in ("out0", "out1"):
        namespace.ip("link", "set", link, "up")
    give(namespace, "out0", "192.0.2.1/24")
    namespace.ip("route", "add", "default", "dev", "out0")
    with ApiServer() as server:
        yield server


def start_pod(rig: Rig, kind: Kind, name: str, host: FakeRack) -> None:
    """What the workload's controller and the node's kubelet do."""
    template = rig.wait_object(kind, WORKLOADS[kind])["spec"]["template"]
    metadata = {**template["metadata"], "namespace": rig.namespace, "name": name}
    rig.cluster.create(POD, {"metadata": metadata, "spec": {**template["spec"], "nodeName": host.name}})
    addresses = {"podIP": host.address, "podIPs": [{"ip": host.address}]}
    hosts = {"hostIP": host.address, "hostIPs": [{"ip": host.address}]}
    status = {"phase": "Running", **addresses, **hosts, "conditions": [{"type": "Ready", "status": "True"}]}
    rig.cluster.patch(POD, rig.namespace, name, {"status": status}, "status")


def _lay_out(rig: Rig, subnets: int) -> None:
    """The resources, and what the operator makes of them while there is no node."""
    selector = {"nodeSelector": {f"{names.GROUP}/role": "rack"}}
    rig.apply("RegionController", REGION_NAME, {"replicas": 1, "dns": {"dnssecValidation": "Disabled"}})
    rig.apply("RackController", REGION_NAME, {"regionRef": {"name": REGION_NAME}, "pods": selector})
    for number in range(subnets):
        spec = {"cidr": f"10.{number // 250}.{number % 250}.0/24", "regionRef": {"name": REGION_NAME}}
        rig.apply("Subnet", f"subnet{number}", spec)
    rig.operator.start()
    for kind, name in WORKLOADS.items():
        wait_for(name, partial(rig.get, kind, name), lambda: rig.operator.log[-4000:], PATIENCE_S)
    rig.operator.stop()


def _rack(number: int) -> FakeRack:
    subnet, host = divmod(number, RACKS_A_SUBNET)
    interface = f"10.{subnet // 250}.{subnet % 250}.{host + 2}/24"
    return FakeRack(f"rack{number}", f"127.60.{number // 250}.{number % 250 + 1}", (interface,))


@contextmanager
def _run_fakes(rig: Rig, racks: tuple[FakeRack, ...], loss: float) -> "Iterator[subprocess.Popen[str]]":
    key = rig.tsig_key()
    site = Site(
        domain=DOMAIN,
        zone=zone_text(rig.mounted_zone()),
        key_name=key.name,
        key_secret=key.secret,
        agent_key=rig.agent_key().decode(),
        config_hash=rig.config_hash(names.rack_workload(REGION_NAME)),
        region=REGION,
        racks=racks,
        loss=loss,
    )
    environment = {**os.environ, "PYTHONPATH": f"{REPOSITORY / 'operator'}:{REPOSITORY}"}
    command = [sys.executable, "-m", "tests.bench.scale.fake_racks"]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment, cwd=REPOSITORY
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(json.dumps(asdict(site)) + "\n")
        process.stdin.flush()
        if process.stdout.readline() != "ready\n":
            raise RuntimeError("the fakes did not start")
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()
