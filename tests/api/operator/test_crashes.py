"""An operator that is killed at random moments of a series of changes: what remains is right."""

import random
import time
from collections.abc import Iterator

import pytest

from lab.apiserver import ApiServer
from rackrelay.cluster.client import RACK, SUBNET
from rackrelay.zone.plan import Zone
from tests.api.operator.rig import Rig, open_rig

pytestmark = pytest.mark.api

ROUNDS = 10
SEED = 20261122


@pytest.fixture
def site(api_server: ApiServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """A region pod and two racks, on two subnets each."""
    with open_rig(api_server, tmp_path_factory.mktemp("crashes")) as rig:
        rig.operator.start()
        rig.apply_demo("region.yaml", "rack.yaml")
        rig.apply("Subnet", "always", {"cidr": "10.10.0.0/24"})
        rig.add_region_pod(0)
        for number in (2, 3):
            rig.add_rack(number, f"10.10.0.{number}/24", *(f"10.{subnet}.0.{number}/24" for subnet in range(20, 24)))
        rig.wait_zone(_10_10_0_0__24=("10.10.0.2", "10.10.0.3"))
        yield rig


def change(rig: Rig, dice: random.Random, wanted: set[int]) -> None:
    """Add or remove a Subnet, or drain or restore a rack."""
    subnet = dice.randrange(20, 24)
    if dice.random() < 0.3:
        drained = dice.choice([[], ["rack2"], ["rack3"]])
        rig.cluster.patch(RACK, rig.namespace, "demo", {"spec": {"drainedNodes": drained}})
    elif subnet in wanted:
        rig.cluster.delete(SUBNET, rig.namespace, f"s{subnet}")
        wanted.discard(subnet)
    else:
        rig.apply("Subnet", f"s{subnet}", {"cidr": f"10.{subnet}.0.0/24"})
        wanted.add(subnet)


def test_operator_killed_at_random_moments(site: Rig) -> None:
    dice, wanted = random.Random(SEED), set[int]()
    for _ in range(ROUNDS):
        for _ in range(dice.randrange(1, 4)):
            change(site, dice, wanted)
        # The moment is the point of the test: from within the start of Python to well into the work.
        time.sleep(dice.uniform(0.0, 3.0))
        site.operator.kill()
        change(site, dice, wanted)
        site.operator.start()
    site.cluster.patch(RACK, site.namespace, "demo", {"spec": {"drainedNodes": []}})
    names = {f"_10_{s}_0_0__24": (f"10.{s}.0.2", f"10.{s}.0.3") for s in wanted}
    site.wait_zone(_10_10_0_0__24=("10.10.0.2", "10.10.0.3"), **names)
    for history in (pod.dns.record.history for pod in site.pods.values()):
        assert_grows(history)
    assert_one_content_a_serial(site)
    assert_never_empty(site)


def assert_grows(history: list[Zone]) -> None:
    serials = [zone.serial for zone in history]
    assert serials == sorted(set(serials))


def assert_one_content_a_serial(site: Rig) -> None:
    """No serial was used twice, whichever operator chose it."""
    contents: dict[int, str] = {}
    for pod in site.pods.values():
        for zone in pod.dns.record.history:
            if zone.serial:
                assert contents.setdefault(zone.serial, zone.digest) == zone.digest


def assert_never_empty(site: Rig) -> None:
    """Once the lasting name was there, it had an address at every moment on every server."""
    for pod in site.pods.values():
        versions = [dict(zone.rrsets).get(("10-10-0-0--24", "A"), ()) for zone in pod.dns.record.history]
        assert all(versions[[bool(v) for v in versions].index(True) :])
