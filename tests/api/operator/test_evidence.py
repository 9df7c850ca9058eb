"""What is seen of racks and servers by others than the operator's probes: regions, agents, a look into their zones."""

import functools
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from lab.apiserver import ApiServer
from rackrelay.cluster.client import EVENT, RACK, REGION
from tests.api.operator.cluster import wait_for
from tests.api.operator.metrics import metric
from tests.api.operator.rig import REGION_NAME, Rig, open_rig
from tests.fakes.agent import FakeAgent, build_document
from tests.fakes.name_server import FakeNameServer

pytestmark = pytest.mark.api

REPLICA = "demo-region-0"
BOTH = {"_10_10_0_0__24": ("10.10.0.2", "10.10.0.3")}
# The operator gives a transfer up after three seconds of silence.
BRIEFLY_S = 2.5


@pytest.fixture(scope="module")
def site(api_server: ApiServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """A region with one replica, which hears its two racks. Name servers are compared all the time."""
    with open_rig(api_server, tmp_path_factory.mktemp("evidence")) as rig:
        rig.operator.module = "tests.api.operator.hasty"
        rig.operator.start()
        rig.apply("RegionController", REGION_NAME, {"replicas": 1})
        rig.apply_demo("rack.yaml")
        rig.apply("Subnet", "prov-a", {"cidr": "10.10.0.0/24"})
        rig.add_region_pod(0)
        for number in (2, 3):
            rig.add_rack(number, f"10.10.0.{number}/24")
        serial = rig.wait_zone(**BOTH).serial
        for number in (2, 3):
            hear(rig, number, serial)
        yield rig


def replica(site: Rig) -> FakeAgent:
    """The agent of the region's replica."""
    agent = site.pods[REPLICA].agent
    assert agent is not None
    return agent


def hear(site: Rig, number: int, serial: int | None) -> None:
    """A rack tells the region that all is well, and which serial its named serves; None: named does not answer it."""
    document = build_document(f"10.10.0.{number}/24", config_hash=site.config_hash(f"rack{number}"))
    replica(site).hear(f"rack{number}", serial, document)


def count_unreachable(site: Rig) -> float | None:
    return metric(site, "rackrelay_zone_servers", state="unreachable")


def test_address_that_a_rack_loses_goes_and_one_that_it_gets_comes(site: Rig) -> None:
    rack = site.pods["rack2"]
    for addresses in (("10.10.0.22",), (), ("10.10.0.2", "10.10.0.22"), ("10.10.0.2",)):
        rack.report(addresses=build_document(*(f"{a}/24" for a in addresses))["addresses"])
        wanted = sorted((*addresses, "10.10.0.3"), key=lambda address: int(address.rpartition(".")[2]))
        site.wait_zone(_10_10_0_0__24=tuple(wanted))


def fall_silent(site: Rig, server: FakeNameServer) -> None:
    """Between two questions and answers the operator finds a server out of reach that is about to send its zone.

    Raises:
        OSError: it did not find so in time; it can ask again.
    """
    until = time.monotonic() + BRIEFLY_S
    while count_unreachable(site) != 1:
        if time.monotonic() > until:
            raise ConnectionAbortedError
        time.sleep(0.05)
    server.silent, server.before_transfer = True, bool


def test_server_with_other_content_by_the_same_serial_is_named_and_overtaken(site: Rig) -> None:
    """Somebody with the key changed it. It is out of reach when that is found, or it would be right again too soon."""
    before = site.wait_zone(**BOTH)
    server = site.pods[REPLICA].dns
    server.before_transfer = functools.partial(fall_silent, site, server)
    server.zone = replace(before, rrsets={**before.rrsets, ("odd", "A"): ("10.9.9.9",)})
    found = site.wait_conditions(REGION, REGION_NAME, ZonePublished=("False", "ContentDiffers"))
    (message,) = (c["message"] for c in found["status"]["conditions"] if c["type"] == "ZonePublished")
    assert REPLICA in message
    assert metric(site, "rackrelay_zone_servers", state="current") == 2
    server.silent = False
    assert site.wait_zone(**BOTH).serial > before.serial
    site.wait_conditions(REGION, REGION_NAME, ZonePublished=("True", "Published"))
    events = [e for e in site.cluster.list_all(EVENT, site.namespace) if e["reason"] == "ContentDiffers"]
    assert {(e["type"], e["involvedObject"]["kind"], message in e["message"]) for e in events} == {
        ("Warning", "RegionController", True)
    }


def wait_reason(site: Rig, reason: str) -> None:
    """Until rack2, and no other, is not healthy for this reason."""

    def look() -> bool:
        status = site.wait_object(RACK, "demo").get("status", {})
        return [(e["node"], e["reason"]) for e in status.get("notHealthy", ())] == [("rack2", reason)]

    wait_for(f"rack2 is not healthy: {reason}", look, lambda: f"{site.get(RACK, 'demo')}\n{site.operator.log}")


def test_rack_that_a_region_hears_stays_though_the_operator_cannot_reach_it(site: Rig) -> None:
    zone = site.wait_zone(**BOTH)
    hear(site, 2, zone.serial)
    # At most three of them brought news at once; two took their two seconds, and after three a region can tell.
    wait_for("the region is believed", lambda: replica(site).listens >= 6)
    site.pods["rack2"].power_off()
    wait_for("silence", lambda: count_unreachable(site) == 1, lambda: site.operator.log)
    site.wait_polled()
    assert site.published() == zone
    assert metric(site, "rackrelay_racks", tier="healthy") == 2
    hear(site, 2, None)
    left = site.wait_zone(_10_10_0_0__24=("10.10.0.3",))
    wait_reason(site, "NoDNS")
    assert metric(site, "rackrelay_racks", tier="degraded") == 1
    replica(site).lose("rack2")
    wait_reason(site, "NoAnswer")
    # Longer than a probe takes, by which it counts as lost; then its node boots: heard, and of no use yet.
    site.wait_polled()
    hear(site, 2, None)
    wait_reason(site, "Starting")
    assert metric(site, "rackrelay_racks", tier="unreachable") == 1
    assert site.published() == left
    hear(site, 2, left.serial)
    site.wait_zone(**BOTH)
    assert count_unreachable(site) == 1
    site.pods["rack2"].power_on()
    site.wait_zone(**BOTH)
