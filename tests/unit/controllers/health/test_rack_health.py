"""What is kept of every server, and which addresses of a rack count."""

from ipaddress import ip_address, ip_interface, ip_network
from typing import Any

import pytest

from rackrelay.controllers.health.addresses import counts
from rackrelay.controllers.health.rack_health import RackHealth
from rackrelay.controllers.health.sighting import YOUNG_FACTOR, RegionReport, Sighting
from rackrelay.model.detection import FailureDetection
from rackrelay.nameservers.server import NameServer
from rackrelay.protocol.heard_document import Heard, HeardRack
from rackrelay.protocol.status_document import PeerObservation, RackInterface
from rackrelay.zone.evidence import HEALTHY, judge
from tests import gen

RACK1, MOVED = gen.server("rack1", "192.0.2.1"), gen.server("rack1", "192.0.2.9")


def book() -> RackHealth:
    return RackHealth()


def track(found: RackHealth, *servers: NameServer, **changes: Any) -> list[Sighting]:
    """What is seen of these servers of one region, which are looked after from now on."""
    found.track(dict.fromkeys(servers, gen.region(**changes)))
    return found.sightings_of({(gen.NAMESPACE, "demo")})


def say(found: RackHealth, *interfaces: str, at: float = 1.0, **changes: Any) -> bool:
    """Whether what rack 1 says of itself is news."""
    return found.take_status(RACK1, gen.status(*interfaces, **changes), at)


def miss(found: RackHealth, server: NameServer, times: int, now: float = 2.0) -> None:
    """A server does not answer so many probes in a row."""
    sighting = found.find(server.namespace, server.name)
    assert sighting is not None
    for _ in range(times):
        found.asked(server, now - sighting.detection.interval_s)
        found.count_misses([sighting], now)


def addresses(found: RackHealth, **spec: Any) -> list[str]:
    return [str(a) for a in found.addresses(gen.rack(**spec), "rack1")]


def test_server_is_tracked_until_it_is_gone() -> None:
    found = book()
    (first,) = track(found, RACK1)
    miss(found, RACK1, 2)
    assert track(found, RACK1) == [first]
    assert first.misses == 2
    track(found)
    assert found.find(gen.NAMESPACE, "rack1") is None
    (again,) = track(found, RACK1)
    assert again.misses == 0


def test_servers_of_the_same_owners_are_not_looked_through_again_and_others_are() -> None:
    found = book()
    owners = {RACK1: gen.region(), gen.server("rack2"): gen.region()}
    found.track(owners)
    first = found.find(gen.NAMESPACE, "rack1")
    owners.pop(gen.server("rack2"))
    found.track(owners)
    assert found.find(gen.NAMESPACE, "rack2") is not None, "the same object says that nothing has changed"
    found.track({RACK1: gen.region(detection=FailureDetection(interval_s=1.0))})
    left = found.find(gen.NAMESPACE, "rack1")
    assert left is not None
    assert left is first
    assert (found.find(gen.NAMESPACE, "rack2"), left.detection.interval_s) == (None, 1.0)


def test_moved_server_keeps_what_was_seen_and_old_answers_no_longer_count() -> None:
    found = book()
    (sighting,) = track(found, RACK1)
    miss(found, RACK1, 1, now=0.5)
    found.asked(RACK1, 0.5)
    (sighting,) = track(found, MOVED)
    assert (sighting.server, sighting.asked_at) == (MOVED, None)
    found.answered(RACK1, 7, 1.0)
    assert found.serial(MOVED) is None
    found.answered(MOVED, 7, 1.0)
    assert (found.serial(MOVED), sighting.misses, sighting.answered_at) == (7, 0, 1.0)


def test_lag_of_a_rack_counts_anew_when_the_operator_reaches_it_again() -> None:
    """Until then it had to get the zone from a region, which takes longer than a repair."""
    found = book()
    (sighting,) = track(found, RACK1)
    found.answered(RACK1, 7, 1.0)
    found.note_lag([RACK1], 8, 2.0)
    found.answered(RACK1, 7, 3.0)
    assert sighting.behind_since == 2.0
    miss(found, RACK1, 3)
    found.answered(RACK1, 7, 4.0)
    assert sighting.behind_since is None


@pytest.mark.parametrize(("misses", "age_s", "counts"), [(3, 5.0, True), (3, 5.1, False), (60, 15.0, True)])
def test_what_a_rack_hears_of_others_counts_for_as_long_as_its_agent_does(
    misses: int, age_s: float, counts: bool
) -> None:
    found = book()
    owners = {RACK1: gen.region(detection=FailureDetection(misses=misses))}
    found.track(owners)
    peer = PeerObservation(ip_network("10.10.0.0/24"), ip_address("10.10.0.3"), heard=True)
    say(found, peers=(peer,))
    assert ("rack1" in found.peer_observations(gen.NAMESPACE, 1.0 + age_s)) == counts
    assert (
        judge(gen.evidence(status_at=1.0, answered_at=1.0), 1.0 + age_s, owners[RACK1].detection) == HEALTHY
    ) == counts


def test_serial_of_a_server_in_reach_alone() -> None:
    found = book()
    track(found, RACK1)
    assert found.serial(RACK1) is None
    found.answered(RACK1, 7, 1.0)
    assert found.serial(RACK1) == 7
    miss(found, RACK1, 3)
    assert found.serial(RACK1) is None
    assert found.serial(gen.server("other")) is None


def test_confirmed_update_ends_the_lag() -> None:
    found = book()
    (sighting,) = track(found, RACK1)
    found.answered(RACK1, 7, 1.0)
    assert found.note_lag([RACK1], 8, 1.0)
    found.updated(RACK1, 8)
    assert found.serial(RACK1) == 8
    assert not sighting.behind_since


def test_addresses_are_the_agents_in_its_order() -> None:
    found = book()
    track(found, RACK1)
    say(found, "10.10.0.12/24", "10.10.0.2/24", "fd00:10::2/64")
    assert addresses(found) == ["10.10.0.12", "10.10.0.2", "fd00:10::2"]


def test_address_without_carrier_is_known_as_such() -> None:
    found = book()
    track(found, RACK1)
    dead = RackInterface("prov1", ip_interface("10.20.0.2/24"), carrier=False)
    say(found, interfaces=(*(gen.status("10.10.0.2/24").interfaces or ()), dead))
    assert addresses(found) == ["10.10.0.2", "10.20.0.2"]
    assert found.unplugged(gen.NAMESPACE, "rack1") == {ip_address("10.20.0.2")}


def test_addresses_that_the_rack_controller_leaves_out_do_not_count() -> None:
    found = book()
    track(found, RACK1)
    say(found, "10.10.0.2/24", "10.20.0.2/24", "fd00:10::2/64")
    for rack, expected in (
        (gen.rack(exclude=(ip_network("10.20.0.0/24"),)), ["10.10.0.2", "fd00:10::2"]),
        (gen.rack(include=(ip_network("10.0.0.0/8"),)), ["10.10.0.2", "10.20.0.2"]),
    ):
        assert [str(a) for a in found.addresses(rack, "rack1")] == expected


def test_interface_with_both_families_is_remembered_as_a_cable() -> None:
    found = book()
    track(found, RACK1)
    places = (("prov0", "10.10.0.2/24"), ("prov1", "10.20.0.2/24"), ("prov0", "fd00:10::2/64"))
    say(found, interfaces=tuple(RackInterface(name, ip_interface(text)) for name, text in places))
    # Its agent has started anew.
    say(found, interfaces=None)
    cable = (ip_address("10.10.0.2"), ip_address("fd00:10::2"))
    assert found.cables(gen.NAMESPACE, "rack1") == (cable,)


def test_agent_that_has_not_read_its_addresses_takes_none_away() -> None:
    found = book()
    track(found, RACK1)
    say(found, "10.10.0.2/24")
    assert addresses(found) == ["10.10.0.2"]
    say(found, interfaces=None)
    assert addresses(found) == ["10.10.0.2"]
    say(
        found,
    )
    assert addresses(found) == []


def test_addresses_of_before_the_restart_are_used_until_the_agent_answers() -> None:
    found = book()
    found.remember(gen.NAMESPACE, "rack1", [ip_address("10.10.0.2")])
    found.remember(gen.NAMESPACE, "rack1", [ip_address("10.20.0.2"), ip_address("10.10.0.2")])
    track(found, RACK1)
    assert addresses(found) == ["10.10.0.2", "10.20.0.2"]
    say(found, "10.30.0.2/24")
    assert addresses(found) == ["10.30.0.2"]


def test_claims_are_in_the_order_in_which_racks_came_to_have_their_addresses() -> None:
    found = book()
    found.remember(gen.NAMESPACE, "rack2", [ip_address("10.10.0.2")])
    rack2 = gen.server("rack2", "127.0.0.2")

    def report(server: NameServer, *interfaces: str) -> dict[str, int]:
        track(found, RACK1, rack2)
        found.take_status(server, gen.status(*interfaces), 1.0)
        return {str(a): order for a, order in found.claims(gen.NAMESPACE, server.name).items()}

    later, first = report(RACK1, "10.10.0.2/24", "10.20.0.2/24"), report(rack2, "10.10.0.2/24")
    assert first["10.10.0.2"] < later["10.10.0.2"]
    # An address that was given up and taken again is claimed anew.
    assert report(rack2, "10.30.0.2/24").keys() == {"10.30.0.2"}
    assert report(rack2, "10.10.0.2/24")["10.10.0.2"] > later["10.10.0.2"]
    assert report(RACK1, "10.10.0.2/24")["10.10.0.2"] == later["10.10.0.2"]


def test_addresses_outlive_the_sighting() -> None:
    """A rack whose pod is gone for a while keeps its addresses: what to do with them is the tier's business."""
    found = book()
    track(found, RACK1)
    say(found, "10.10.0.2/24")
    assert addresses(found) == ["10.10.0.2"]
    track(found)
    assert addresses(found) == ["10.10.0.2"]


@pytest.mark.parametrize(
    ("include", "exclude", "address", "expected"),
    [
        ([], [], "10.10.0.2", True),
        (["10.0.0.0/8"], [], "10.10.0.2", True),
        (["10.0.0.0/8"], [], "192.0.2.1", False),
        (["10.0.0.0/8"], [], "fd00::2", False),
        (["10.0.0.0/8", "fd00::/8"], [], "fd00::2", True),
        ([], ["10.10.0.0/16"], "10.10.0.2", False),
        ([], ["10.10.0.0/16"], "fd00::2", True),
        (["10.0.0.0/8"], ["10.10.0.0/16"], "10.10.0.2", False),
        (["10.0.0.0/8"], ["10.10.0.0/16"], "10.20.0.2", True),
    ],
)
def test_include_and_exclude(include: list[str], exclude: list[str], address: str, expected: bool) -> None:
    rack = gen.rack(include=tuple(map(ip_network, include)), exclude=tuple(map(ip_network, exclude)))
    assert counts(ip_address(address), rack) is expected


def test_racks_that_are_asked_at_another_pace_are_no_crowd_with_these() -> None:
    """A fault of the operator's network shows with the racks of the fast region first: they are its own crowd."""
    found, fast = book(), FailureDetection(0.1, 2)
    of_fast, of_slow = gen.region("fast", detection=fast), gen.region("slow", detection=FailureDetection(5.0, 3))
    paces = {gen.server(f"fast{n}", "192.0.2.5"): of_fast for n in range(3)}
    paces |= {gen.server(f"slow{n}", "192.0.2.5"): of_slow for n in range(5)}
    found.track(paces)
    for server in paces:
        found.answered(server, 7, 1.0)
    for server in paces:
        miss(found, server, fast.misses)
    everybody = found.sightings_of({(gen.NAMESPACE, "fast"), (gen.NAMESPACE, "slow")})
    together = [s.server.name for s in everybody if s.lost_together]
    assert together == ["fast0", "fast1", "fast2"]


def test_region_that_hangs_can_tell_for_as_long_as_its_racks_may_be_silent() -> None:
    replica, slow = gen.server("demo-region-0", "10.0.0.1"), FailureDetection(5.0, 3)
    for detection, fresh_s in ((FailureDetection(), 4.0), (slow, 17.0), (FailureDetection(0.1, 2), 1.1)):
        found = book()
        region = gen.region(detection=detection)
        found.track({replica: region, RACK1: region})
        found.hear(replica, Heard(1, "e1", True, {"rack1": HeardRack(True, 7)}), 0.0)
        found.hear(replica, Heard(1, "e1", False), 10.0)
        assert found.heard(gen.NAMESPACE, "rack1", 10.0 + fresh_s - 0.1) is True
        assert found.heard(gen.NAMESPACE, "rack1", 10.0 + fresh_s + 0.1) is None


def test_replicas_of_another_region_do_not_bear_witness() -> None:
    found, other = book(), gen.server("other-region-0", "10.0.0.2")
    owners = {RACK1: gen.region("demo"), other: gen.region("other")}
    found.track(owners)
    for now in (0.0, 10.0):
        found.hear(other, Heard(1, "e1", True, {}), now)
    assert found.heard(gen.NAMESPACE, "rack1", 10.0) is None


def test_replica_that_answers_before_it_is_tracked_or_after_it_is_gone_is_no_witness() -> None:
    found, replica = book(), gen.server("demo-region-0", "10.0.0.1")
    found.hear(replica, Heard(1, "e1", True, {"rack1": HeardRack(True, 7)}), 0.0)
    assert found.heard(gen.NAMESPACE, "rack1", 0.0) is None
    track(found, RACK1, replica)
    found.hear(replica, Heard(1, "e1", False), 10.0)
    assert found.region_report(gen.NAMESPACE, "rack1", 10.0) == RegionReport(True, 7)
    track(found, RACK1)
    found.hear(replica, Heard(1, "e1", False), 10.1)
    assert found.heard(gen.NAMESPACE, "rack1", 10.1) is None


def heard(*racks: str, full: bool = False, **status: Any) -> Heard:
    return Heard(
        2, "first life", full, {rack: HeardRack(True, 1, gen.status("10.10.0.2/24", **status)) for rack in racks}
    )


REGION, TWIN = gen.server("region-0", "192.0.2.100", 5242), gen.server("region-1", "192.0.2.101", 5242)
SICK: dict[str, Any] = {"failing": {"squid": "no answer"}}


def test_region_brings_a_racks_news_at_once() -> None:
    """Polls of a thousand agents are seconds apart."""
    found = book()
    sighting, _ = track(found, RACK1, REGION)
    say(found, "10.10.0.2/24", at=99.5)
    assert not found.hear(REGION, heard("rack1"), 100.0)
    assert found.hear(REGION, heard("rack1", **SICK), 100.1)
    assert sighting.status == gen.status("10.10.0.2/24", **SICK)
    assert sighting.status_at == 100.1


def test_region_that_tells_an_older_status_again_is_not_believed() -> None:
    found = book()
    sighting, *_ = track(found, RACK1, REGION, TWIN)
    found.hear(REGION, heard("rack1"), 100.0)
    found.hear(TWIN, heard("rack1"), 100.0)
    found.hear(REGION, heard("rack1", **SICK), 100.1)
    assert not found.hear(TWIN, heard("rack1"), 100.2)
    assert sighting.status == gen.status("10.10.0.2/24", **SICK)


def test_region_confirms_the_statuses_of_the_racks_that_it_hears_and_no_others() -> None:
    found = book()
    sighting, silent, _ = track(found, RACK1, gen.server("rack2", "192.0.2.2"), REGION)
    found.hear(REGION, heard("rack1", "rack2"), 100.0)
    silence = Heard(3, "first life", False, {"rack2": HeardRack(False, 1, gen.status("10.10.0.2/24"))})
    found.hear(REGION, silence, 103.0)
    assert (sighting.is_heard(103.0), silent.is_heard(103.0)) == (True, False)
    assert (sighting.status_at, silent.status_at) == (103.0, 100.0)
    assert not sighting.is_heard(110.0)


@pytest.mark.parametrize(
    ("misses", "heard_by_region", "expected"),
    [
        pytest.param(2, None, False, id="it may still answer"),
        pytest.param(3, None, False, id="it is silent, and no region has had the time to tell"),
        pytest.param(3, True, True, id="it is silent, and a region hears it"),
        pytest.param(3, False, True, id="it is silent to everybody"),
        pytest.param(3 + 16, None, True, id="no region will tell"),
    ],
)
def test_regions_are_waited_for_before_a_silent_server_counts_as_asked(
    misses: int, heard_by_region: bool | None, expected: bool
) -> None:
    assert Sighting(RACK1, misses=misses).is_asked(heard_by_region) is expected


def test_only_who_had_the_time_to_answer_has_missed_it() -> None:
    found = book()
    old, young, answered = track(found, RACK1, gen.server("rack2"), gen.server("rack3"))
    for sighting, asked_at in ((old, 100.0), (young, 100.2), (answered, 100.0)):
        found.asked(sighting.server, asked_at)
    found.answered(answered.server, 1, 100.1)
    interval_s = old.detection.interval_s
    assert found.count_misses([old, young, answered], 100.1 + YOUNG_FACTOR * interval_s) == [old]
    assert (old.misses, young.misses, answered.misses) == (1, 0, 0)


def test_agent_that_cannot_be_understood_is_told_from_one_that_is_silent() -> None:
    found = book()
    (sighting,) = track(found, RACK1)
    found.answered(RACK1, 1, 100.0)
    for problem, reason in (("of version 9", "AgentUnreadable"), ("", "AgentSilent")):
        found.missed_status(RACK1, problem)
        assert judge(sighting.evidence(False, False), 100.0, sighting.detection).reason == reason
    found.missed_status(RACK1, "of version 9")
    say(found, "10.10.0.2/24", at=100.0)
    assert judge(sighting.evidence(False, False), 100.0, sighting.detection) == HEALTHY


def test_what_is_received_is_learned_before_anybody_decides_by_it() -> None:
    """A follower decides nothing, and has to know who came first when it takes over."""
    found, other = book(), gen.server("rack2", "192.0.2.2")
    track(found, RACK1, other, REGION)
    found.hear(REGION, Heard(1, "e1", True, {"rack2": HeardRack(True, 1, gen.status("10.10.0.9/24"))}), 1.0)
    say(found, "10.10.0.9/24", at=2.0)
    address = ip_address("10.10.0.9")
    assert found.claims(gen.NAMESPACE, "rack2")[address] < found.claims(gen.NAMESPACE, "rack1")[address]
