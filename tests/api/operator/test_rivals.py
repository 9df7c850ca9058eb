"""Two operators that both lead: what the resourceVersion of the zone and the old SOA in each UPDATE are for."""

import json
import random
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.apiserver import ApiServer
from lab.binaries import find_binary
from rackrelay import names
from rackrelay.zone.plan import parse_zone_text
from tests.api.operator.cluster import wait_for
from tests.api.operator.replicas import BOTH, Replicas, drain, lay_out, trace
from tests.api.operator.rig import DOMAIN, Rig, open_rig

pytestmark = pytest.mark.api

ROUNDS = 15


class History:
    """Every version of the zone's ConfigMap while this is open, as a watch brings them."""

    def __init__(self, rig: Rig, file: Path) -> None:
        self._file = file.open("w+")
        argv: list[str | Path] = [find_binary("kubectl"), "--kubeconfig", rig.cluster.server.kubeconfig]
        argv += ["-n", rig.namespace, "get", "configmap", names.zone_config("demo"), "--watch", "--output=json"]
        self._kubectl = subprocess.Popen(argv, stdout=self._file)
        wait_for("the watch", self.read)

    def read(self) -> list[tuple[int, str]]:
        """(serial, digest) of each version so far."""
        self._file.seek(0)
        text, found = self._file.read(), []
        decoder = json.JSONDecoder()
        while text:
            try:
                item, end = decoder.raw_decode(text)
            except json.JSONDecodeError:
                break
            zone = parse_zone_text(item["data"][names.KEY_ZONE_TEXT], DOMAIN)
            assert zone is not None
            assert item["data"][names.KEY_ZONE_SERIAL] == str(zone.serial)
            found.append((zone.serial, zone.digest))
            text = text[end:].lstrip()
        return found

    def close(self) -> None:
        self._kubectl.kill()
        self._kubectl.wait(10)
        self._file.close()


@pytest.fixture
def rivals(api_server: ApiServer, tmp_path: Path) -> Iterator[Replicas]:
    """Two operators that both lead all the time."""
    with open_rig(api_server, tmp_path) as rig, Replicas(rig, tmp_path, elects=False) as rivals:
        yield rivals


def change(rig: Rig, chance: random.Random) -> None:
    """Something that both operators see, each at its own time."""
    actions: list[Callable[[], Any]] = [
        lambda: drain(rig, chance.random() < 0.5),
        lambda: rig.apply("Subnet", "prov-a", {"cidr": "10.10.0.0/24", "managed": chance.random() < 0.7}),
        lambda: report_address(rig, chance.choice(("10.10.0.2", "10.10.0.22"))),
    ]
    chance.choice(actions)()
    time.sleep(chance.uniform(0, 0.4))


def report_address(rig: Rig, address: str) -> None:
    rig.pods["rack2"].report(addresses=[{"interface": "prov0", "address": address, "prefix": 24, "carrier": True}])


def test_two_that_both_believe_they_lead_cannot_spoil_the_zone(rivals: Replicas, tmp_path: Path) -> None:
    rig, chance = rivals.rig, random.Random(5)
    lay_out(rig)
    history = History(rig, tmp_path / "history")
    try:
        for _ in range(ROUNDS):
            change(rig, chance)
        drain(rig, False)
        rig.apply("Subnet", "prov-a", {"cidr": "10.10.0.0/24", "managed": True})
        report_address(rig, "10.10.0.2")
        last = rig.wait_zone(**BOTH)
        wait_for("the watch", lambda: history.read()[-1][0] >= last.serial)
        versions = history.read()
    finally:
        history.close()
    serials = [serial for serial, _ in versions]
    assert serials == sorted(set(serials)), "a serial was used twice, or went back"
    assert len(serials) > ROUNDS / 3
    published = dict(versions)
    for pod in rig.pods.values():
        served = [zone for zone in pod.dns.record.history if zone.serial >= serials[0]]
        assert [z.serial for z in served] == sorted({z.serial for z in served})
        assert [z.serial for z in served if published[z.serial] != z.digest] == [], "a server serves what nobody kept"
    assert all(f"zone {DOMAIN}: serial" in replica.log for replica in rivals.all), "one of them never wrote"
    rig.wait_polled(times=2)
    before = trace(rig)
    rig.wait_polled(times=4)
    assert trace(rig) == before, "they answer each other's writes"
