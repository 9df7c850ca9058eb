"""Two operators that both lead: what the resourceVersion of the zone and the old SOA in each UPDATE are for."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.apiserver import ApiServer
from lab.binaries import find_binary
from rackrelay import names
from rackrelay.zone.plan import Zone, parse_zone_text
from tests.api.operator.cluster import wait_for
from tests.api.operator.replicas import BOTH, Replicas, drain, lay_out, trace
from tests.api.operator.rig import DOMAIN, Rig, open_rig

pytestmark = pytest.mark.api

# The racks are as they were after each four of them.
ROUNDS, MOST_ROUNDS = 8, 80
# So often at least one of them has written between the other's reading and writing.
CONFLICTS = 2


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


def change(rivals: Replicas, number: int) -> None:
    """Something that both operators see, each at its own time, and that asks for a zone that there never was."""
    rig, drained = rivals.rig, number % 4 in (1, 2)
    address = f"10.10.0.{20 + number // 2}"
    report_address(rig, address)
    drain(rig, drained)
    wanted = (address,) if drained else ("10.10.0.3", address)
    # One of them may write an older picture in between: it has not noticed yet.
    wait_for(f"a version for {wanted}", lambda: (zone := rig.published()) and serves(zone, wanted), lambda: rivals.log)


def change_until_they_collide(rivals: Replicas) -> int:
    """How many rounds that took; whether they write in the same moment is up to chance."""
    number = 0
    while number < ROUNDS or number % 4 or count_conflicts(rivals) < CONFLICTS:
        change(rivals, number)
        number += 1
        assert number < MOST_ROUNDS, f"{count_conflicts(rivals)} conflicts\n{rivals.log}"
    return number


def count_conflicts(rivals: Replicas) -> int:
    """How often the API server refused one of them because the other had written the zone since it was read."""
    return rivals.log.count(f"/configmaps/{names.zone_config('demo')}: Operation cannot be fulfilled")


def serves(zone: Zone, addresses: tuple[str, ...]) -> bool:
    return zone.rrsets.get(("10-10-0-0--24", "A")) == addresses


def report_address(rig: Rig, address: str) -> None:
    rig.pods["rack2"].report(addresses=[{"interface": "prov0", "address": address, "prefix": 24, "carrier": True}])


def test_two_that_both_believe_they_lead_cannot_spoil_the_zone(rivals: Replicas, tmp_path: Path) -> None:
    rig = rivals.rig
    lay_out(rig)
    history = History(rig, tmp_path / "history")
    try:
        rounds = change_until_they_collide(rivals)
        report_address(rig, "10.10.0.2")
        last = rig.wait_zone(**BOTH)
        wait_for("the watch", lambda: history.read()[-1][0] >= last.serial)
        versions = history.read()
    finally:
        history.close()
    serials = [serial for serial, _ in versions]
    assert serials == sorted(set(serials)), "a serial was used twice, or went back"
    assert len(serials) > rounds
    published = dict(versions)
    for pod in rig.pods.values():
        served = [zone for zone in pod.dns.record.history if zone.serial >= serials[0]]
        assert [z.serial for z in served] == sorted({z.serial for z in served})
        assert [z.serial for z in served if published[z.serial] != z.digest] == [], "a server serves what nobody kept"
    assert all(f"zone {DOMAIN}: serial" in replica.log for replica in rivals.all), "one of them never wrote"
    wait_for("an end of each answering the other's writes", lambda: is_at_rest(rig), lambda: rivals.log)


def is_at_rest(rig: Rig) -> bool:
    """Whether nobody writes anything for some seconds."""
    before = trace(rig)
    rig.wait_polled(times=4)
    return trace(rig) == before
