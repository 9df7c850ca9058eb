"""Two operators on a real API server: one leads, the other takes over, and neither spoils what the other wrote."""

import random
import time
from collections.abc import Iterator
from functools import partial

import pytest

from lab.apiserver import ApiServer
from rackrelay.cluster.client import RACK
from tests.api.operator.cluster import wait_for
from tests.api.operator.process import HOME
from tests.api.operator.replicas import BOTH, LEASE_NAME, Replica, Replicas, drain, lay_out, trace
from tests.api.operator.rig import Rig, open_rig

pytestmark = pytest.mark.api

ONLY_RACK2 = {"_10_10_0_0__24": ("10.10.0.2",)}
# A machine that is busy with other things may need several times that: the best of the rounds counts.
TAKEOVER_S = 4.0
ROUNDS = 2
OUTAGE_S = 5.0
KILLS = 4


@pytest.fixture(scope="module")
def pair(mortal_server: ApiServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replicas]:
    """Two operators that take turns; tests leave two racks in the zone."""
    folder = tmp_path_factory.mktemp("pair")
    with open_rig(mortal_server, folder) as rig, Replicas(rig, folder) as pair:
        lay_out(rig)
        yield pair


@pytest.fixture
def both(pair: Replicas) -> Replicas:
    """Both run, one leads, and nothing is left to do."""
    for replica in pair.all:
        if not replica.is_running:
            replica.kill()
            replica.start()
            replica.wait_started()
    pair.wait_leader()
    pair.rig.wait_zone(**BOTH)
    pair.rig.wait_conditions(RACK, "demo", RacksHealthy=("True", "AllHealthy"), ConfigApplied=("True", "Applied"))
    return pair


def test_one_leads_and_both_are_ready(both: Replicas) -> None:
    assert [replica.ask_health("/readyz") for replica in both.all] == [200, 200]
    line = both.rig.cluster.server.kubectl("-n", HOME, "get", "lease", LEASE_NAME, "--no-headers")
    assert line.split()[1] == both.lease()["holderIdentity"]
    assert both.lease()["leaseDurationSeconds"] == 3
    renewed = both.lease()["renewTime"]
    wait_for("a renewal", lambda: both.lease()["renewTime"] != renewed)


def test_killed_leader_is_replaced_within_four_seconds_and_only_the_lease_is_written(both: Replicas) -> None:
    """Neither while nothing happens nor when another leads, who finds nothing changed."""
    both.rig.wait_polled()
    before, times = trace(both.rig), []
    for number in range(ROUNDS):
        both.rig.wait_polled()
        leader = both.wait_leader()
        leader.kill()
        times.append(both.measure_takeover(leader, f"killed, round {number + 1}"))
        leader.start()
        leader.wait_started()
    both.rig.wait_polled(times=3)
    assert trace(both.rig) == before
    assert min(times) < TAKEOVER_S, times


def count_ends(replica: Replica) -> int:
    """How often it has noticed that it does not lead any more."""
    return replica.log.count("does not lead any more")


def has_ended(replica: Replica, before: int) -> bool:
    """Whether it has noticed that once more."""
    return count_ends(replica) > before


def test_killed_leader_is_replaced_and_its_work_goes_on(both: Replicas) -> None:
    leader = both.wait_leader()
    leader.kill()
    drain(both.rig, True)
    began = time.monotonic()
    try:
        both.measure_takeover(leader, "killed")
        both.rig.wait_zone(**ONLY_RACK2)
        print(f"killed: the zone follows after {time.monotonic() - began:.2f} s")
    finally:
        drain(both.rig, False)


def drain_and_restore(rig: Rig) -> None:
    """What a leader that sleeps has all still to read."""
    drain(rig, True)
    rig.wait_zone(**ONLY_RACK2)
    drain(rig, False)
    rig.wait_zone(**BOTH)
    rig.wait_conditions(RACK, "demo", RacksHealthy=("True", "AllHealthy"))
    rig.wait_polled()


def test_stopped_leader_is_replaced_within_four_seconds_and_writes_nothing_when_it_wakes(both: Replicas) -> None:
    times = []
    for meanwhile in (Rig.wait_polled, drain_and_restore):
        leader = both.wait_leader()
        ends = count_ends(leader)
        leader.pause()
        try:
            times.append(both.measure_takeover(leader, "stopped"))
            meanwhile(both.rig)
            before = trace(both.rig)
        finally:
            leader.resume()
        wait_for("it notices", partial(has_ended, leader, ends), lambda: both.log)
        both.rig.wait_polled(times=3)
        assert trace(both.rig) == before
        assert both.find_leader() is both.other(leader)
    assert min(times) < TAKEOVER_S, times


def test_leader_that_is_asked_to_end_gives_the_lease_back(both: Replicas) -> None:
    leader = both.wait_leader()
    both.other(leader).kill()
    leader.stop()
    assert both.lease()["holderIdentity"] == ""
    both.other(leader).start()
    both.measure_takeover(leader, "released before the other one started")


def test_follower_takes_over_from_a_leader_that_ends(both: Replicas) -> None:
    leader = both.wait_leader()
    transitions = both.lease()["leaseTransitions"]
    began = time.monotonic()
    leader.stop()
    print(f"asked to end: has ended after {time.monotonic() - began:.2f} s")
    both.measure_takeover(leader, "asked to end")
    assert both.lease()["leaseTransitions"] == transitions + 1


def test_leader_killed_at_any_point_of_a_change_leaves_nothing_half_done(both: Replicas) -> None:
    chance = random.Random(4)
    for drained in [True, False] * (KILLS // 2):
        leader = both.wait_leader()
        drain(both.rig, drained)
        time.sleep(chance.uniform(0, 0.3))
        leader.kill()
        leader.start()
        both.rig.wait_zone(**(ONLY_RACK2 if drained else BOTH))
        leader.wait_started()
    for pod in both.rig.pods.values():
        serials = [zone.serial for zone in pod.dns.record.history]
        assert serials == sorted(set(serials))


def test_operators_were_refused_nothing(pair: Replicas) -> None:
    """By the rights of the chart. An API server that has just started refuses all of it, so the outage comes last."""
    assert "forbidden" not in pair.log.lower(), pair.log


def test_api_outage_withdraws_nothing_and_one_leads_again(both: Replicas) -> None:
    rig = both.rig
    leader = both.wait_leader()
    ends = count_ends(leader)
    rig.cluster.server.kill()
    try:
        began = time.monotonic()
        rig.pods["rack3"].power_off()
        wait_for("it steps down", partial(has_ended, leader, ends))
        time.sleep(max(0.0, OUTAGE_S - (time.monotonic() - began)))
        assert {pod.dns.zone.rrsets[("10-10-0-0--24", "A")] for pod in rig.pods.values()} == {
            ("10.10.0.2", "10.10.0.3")
        }
    finally:
        rig.cluster.server.start()
    began = time.monotonic()
    both.wait_leader()
    print(f"API server back: somebody leads after {time.monotonic() - began:.2f} s")
    rig.wait_zone(**ONLY_RACK2)
    assert all(replica.is_running for replica in both.all)
    rig.pods["rack3"].power_on()
    rig.wait_zone(**BOTH)
