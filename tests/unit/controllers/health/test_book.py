"""What is kept of every server, and which addresses of a rack count."""

from ipaddress import ip_address, ip_interface, ip_network
from typing import Any

import pytest

from rackrelay.controllers.health.book import EvidenceBook, counts
from rackrelay.controllers.health.sighting import RegionReport, Sighting
from rackrelay.model.detection import FailureDetection
from rackrelay.nameservers.server import NameServer
from rackrelay.protocol.heard_document import Heard, HeardRack
from rackrelay.protocol.status_document import PeerObservation, RackInterface
from rackrelay.zone.evidence import HEALTHY, judge
from tests import gen

RACK1, MOVED = gen.server("rack1", "192.0.2.1"), gen.server("rack1", "192.0.2.9")


def book() -> EvidenceBook:
    return EvidenceBook()


def addresses(found: EvidenceBook, **spec: Any) -> list[str]:
    return [str(a) for a in found.addresses(gen.rack(**spec), "rack1")]


def test_server_is_tracked_until_it_is_gone() -> None:
    found = book()
    (first,) = found.track([RACK1])
    first.misses = 2
    assert found.track([RACK1]) == [first]
    found.track([])
    assert found.find(gen.NAMESPACE, "rack1") is None
    (again,) = found.track([RACK1])
    assert again.misses == 0


def test_servers_of_the_same_owners_are_not_looked_through_again_and_others_are() -> None:
    found = book()
    owners = {RACK1: gen.region(), gen.server("rack2"): gen.region()}
    first = found.track(owners, owners)
    assert found.track(owners, owners) == first
    fewer = {RACK1: gen.region(detection=FailureDetection(interval_s=1.0))}
    (left,) = found.track(fewer, fewer)
    assert left is first[0]
    assert (found.find(gen.NAMESPACE, "rack2"), left.detection.interval_s) == (None, 1.0)


def test_moved_server_keeps_what_was_seen_and_old_answers_no_longer_count() -> None:
    found = book()
    (sighting,) = found.track([RACK1])
    sighting.asked_at, sighting.misses = 0.5, 1
    (sighting,) = found.track([MOVED])
    assert (sighting.server, sighting.asked_at) == (MOVED, None)
    found.answered(RACK1, 7, 1.0)
    assert found.serial(MOVED) is None
    found.answered(MOVED, 7, 1.0)
    assert (found.serial(MOVED), sighting.misses, sighting.answered_at) == (7, 0, 1.0)


def test_lag_of_a_rack_counts_anew_when_the_operator_reaches_it_again() -> None:
    """Until then it had to get the zone from a region, which takes longer than a repair."""
    found = book()
    (sighting,) = found.track([RACK1])
    found.answered(RACK1, 7, 1.0)
    sighting.behind_since = 2.0
    found.answered(RACK1, 7, 3.0)
    assert sighting.behind_since == 2.0
    sighting.misses = 3
    found.answered(RACK1, 7, 4.0)
    assert sighting.behind_since is None


@pytest.mark.parametrize(("misses", "age_s", "counts"), [(3, 5.0, True), (3, 5.1, False), (60, 15.0, True)])
def test_what_a_rack_hears_of_others_counts_for_as_long_as_its_agent_does(
    misses: int, age_s: float, counts: bool
) -> None:
    found = book()
    owners = {RACK1: gen.region(detection=FailureDetection(misses=misses))}
    (sighting,) = found.track(owners, owners)
    peer = PeerObservation(ip_network("10.10.0.0/24"), ip_address("10.10.0.3"), heard=True)
    sighting.status, sighting.status_at = gen.status(peers=(peer,)), 1.0
    assert ("rack1" in found.peer_observations(gen.NAMESPACE, 1.0 + age_s)) == counts
    assert (judge(gen.evidence(status_at=1.0, answered_at=1.0), 1.0 + age_s, sighting.detection) == HEALTHY) == counts


def test_serial_of_a_server_in_reach_alone() -> None:
    found = book()
    (sighting,) = found.track([RACK1])
    assert found.serial(RACK1) is None
    found.answered(RACK1, 7, 1.0)
    assert found.serial(RACK1) == 7
    sighting.misses = 3
    assert found.serial(RACK1) is None
    assert found.serial(gen.server("other")) is None


def test_confirmed_update_ends_the_lag() -> None:
    found = book()
    (sighting,) = found.track([RACK1])
    found.answered(RACK1, 7, 1.0)
    sighting.behind_since = 1.0
    found.updated(RACK1, 8)
    assert found.serial(RACK1) == 8
    assert not sighting.behind_since


def test_addresses_are_the_agents_in_its_order() -> None:
    found = book()
    (sighting,) = found.track([RACK1])
    sighting.status = gen.status("10.10.0.12/24", "10.10.0.2/24", "fd00:10::2/64")
    assert addresses(found) == ["10.10.0.12", "10.10.0.2", "fd00:10::2"]


def test_address_without_carrier_is_known_as_such() -> None:
    found = book()
    (sighting,) = found.track([RACK1])
    dead = RackInterface("prov1", ip_interface("10.20.0.2/24"), carrier=False)
    sighting.status = gen.status(interfaces=(*(gen.status("10.10.0.2/24").interfaces or ()), dead))
    assert addresses(found) == ["10.10.0.2", "10.20.0.2"]
    assert found.unplugged(gen.NAMESPACE, "rack1") == {ip_address("10.20.0.2")}


def test_addresses_that_the_rack_controller_leaves_out_do_not_count() -> None:
    found = book()
    (sighting,) = found.track([RACK1])
    sighting.status = gen.status("10.10.0.2/24", "10.20.0.2/24", "fd00:10::2/64")
    for rack, expected in (
        (gen.rack(exclude=(ip_network("10.20.0.0/24"),)), ["10.10.0.2", "fd00:10::2"]),
        (gen.rack(include=(ip_network("10.0.0.0/8"),)), ["10.10.0.2", "10.20.0.2"]),
    ):
        assert [str(a) for a in found.addresses(rack, "rack1")] == expected


def test_interface_with_both_families_is_remembered_as_a_cable() -> None:
    found = book()
    (sighting,) = found.track([RACK1])
    places = (("prov0", "10.10.0.2/24"), ("prov1", "10.20.0.2/24"), ("prov0", "fd00:10::2/64"))
    sighting.status = gen.status(interfaces=tuple(RackInterface(name, ip_interface(text)) for name, text in places))
    addresses(found)
    # Its agent has started anew.
    sighting.status = gen.status(interfaces=None)
    addresses(found)
    cable = (ip_address("10.10.0.2"), ip_address("fd00:10::2"))
    assert found.known.cables((gen.NAMESPACE, "rack1")) == (cable,)


def test_agent_that_has_not_read_its_addresses_takes_none_away() -> None:
    found = book()
    (sighting,) = found.track([RACK1])
    sighting.status = gen.status("10.10.0.2/24")
    assert addresses(found) == ["10.10.0.2"]
    sighting.status = gen.status(interfaces=None)
    assert addresses(found) == ["10.10.0.2"]
    sighting.status = gen.status()
    assert addresses(found) == []


def test_addresses_of_before_the_restart_are_used_until_the_agent_answers() -> None:
    found = book()
    found.remember(gen.NAMESPACE, "rack1", [ip_address("10.10.0.2")])
    found.remember(gen.NAMESPACE, "rack1", [ip_address("10.20.0.2"), ip_address("10.10.0.2")])
    (sighting,) = found.track([RACK1])
    assert addresses(found) == ["10.10.0.2", "10.20.0.2"]
    sighting.status = gen.status("10.30.0.2/24")
    assert addresses(found) == ["10.30.0.2"]


def test_claims_are_in_the_order_in_which_racks_came_to_have_their_addresses() -> None:
    found = book()
    found.remember(gen.NAMESPACE, "rack2", [ip_address("10.10.0.2")])
    rack2 = gen.server("rack2", "127.0.0.2")

    def report(server: NameServer, *interfaces: str) -> dict[str, int]:
        found.track([RACK1, rack2])
        sighting = found.find(gen.NAMESPACE, server.name)
        assert sighting is not None
        sighting.status = gen.status(*interfaces)
        found.addresses(gen.rack(), server.name)
        return {str(a): order for a, order in found.known.claims((gen.NAMESPACE, server.name)).items()}

    later, first = report(RACK1, "10.10.0.2/24", "10.20.0.2/24"), report(rack2, "10.10.0.2/24")
    assert first["10.10.0.2"] < later["10.10.0.2"]
    # An address that was given up and taken again is claimed anew.
    assert report(rack2, "10.30.0.2/24").keys() == {"10.30.0.2"}
    assert report(rack2, "10.10.0.2/24")["10.10.0.2"] > later["10.10.0.2"]
    assert report(RACK1, "10.10.0.2/24")["10.10.0.2"] == later["10.10.0.2"]


def test_addresses_outlive_the_sighting() -> None:
    """A rack whose pod is gone for a while keeps its addresses: what to do with them is the tier's business."""
    found = book()
    (sighting,) = found.track([RACK1])
    sighting.status = gen.status("10.10.0.2/24")
    assert addresses(found) == ["10.10.0.2"]
    found.track([])
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
    found.track(paces, paces)
    for server in paces:
        found.answered(server, 7, 1.0)
        sighting = found.find(gen.NAMESPACE, server.name)
        assert sighting is not None
        sighting.misses = fast.misses
    found.note_silence(2.0)
    together = [s.server.name for s in found.track(paces, paces) if s.lost_together]
    assert together == ["fast0", "fast1", "fast2"]


def test_region_that_hangs_can_tell_for_as_long_as_its_racks_may_be_silent() -> None:
    replica, slow = gen.server("demo-region-0", "10.0.0.1"), FailureDetection(5.0, 3)
    for detection, fresh_s in ((FailureDetection(), 4.0), (slow, 17.0), (FailureDetection(0.1, 2), 1.1)):
        found = book()
        region = gen.region(detection=detection)
        found.track([replica, RACK1], {replica: region, RACK1: region})
        found.hear(replica, Heard(1, "e1", True, {"rack1": HeardRack(True, 7)}), 0.0)
        found.hear(replica, Heard(1, "e1", False), 10.0)
        assert found.heard(gen.NAMESPACE, "rack1", 10.0 + fresh_s - 0.1) is True
        assert found.heard(gen.NAMESPACE, "rack1", 10.0 + fresh_s + 0.1) is None


def test_replicas_of_another_region_do_not_bear_witness() -> None:
    found, other = book(), gen.server("other-region-0", "10.0.0.2")
    owners = {RACK1: gen.region("demo"), other: gen.region("other")}
    found.track(owners, owners)
    for now in (0.0, 10.0):
        found.hear(other, Heard(1, "e1", True, {}), now)
    assert found.heard(gen.NAMESPACE, "rack1", 10.0) is None


def test_replica_that_answers_before_it_is_tracked_or_after_it_is_gone_is_no_witness() -> None:
    found, replica = book(), gen.server("demo-region-0", "10.0.0.1")
    found.hear(replica, Heard(1, "e1", True, {"rack1": HeardRack(True, 7)}), 0.0)
    assert found.heard(gen.NAMESPACE, "rack1", 0.0) is None
    found.track([RACK1, replica])
    found.hear(replica, Heard(1, "e1", False), 10.0)
    assert found.region_report(gen.NAMESPACE, "rack1", 10.0) == RegionReport(True, 7)
    found.track([RACK1])
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
    sighting, _ = found.track([RACK1, REGION])
    sighting.status, sighting.status_at = gen.status("10.10.0.2/24"), 99.5
    assert not found.hear(REGION, heard("rack1"), 100.0)
    assert found.hear(REGION, heard("rack1", **SICK), 100.1)
    assert sighting.status == gen.status("10.10.0.2/24", **SICK)
    assert sighting.status_at == 100.1


def test_region_that_tells_an_older_status_again_is_not_believed() -> None:
    found = book()
    sighting, *_ = found.track([RACK1, REGION, TWIN])
    found.hear(REGION, heard("rack1"), 100.0)
    found.hear(TWIN, heard("rack1"), 100.0)
    found.hear(REGION, heard("rack1", **SICK), 100.1)
    assert not found.hear(TWIN, heard("rack1"), 100.2)
    assert sighting.status == gen.status("10.10.0.2/24", **SICK)


def test_region_vouches_for_the_racks_that_it_hears_and_no_others() -> None:
    found = book()
    sighting, silent, _ = found.track([RACK1, gen.server("rack2", "192.0.2.2"), REGION])
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
    old, young, answered = found.track([RACK1, gen.server("rack2"), gen.server("rack3")])
    old.asked_at, young.asked_at, answered.asked_at = 100.0, 100.2, 100.0
    found.answered(answered.server, 1, 100.1)
    for sighting in (old, young, answered):
        sighting.count_miss(asked_until=100.1)
    assert (old.misses, young.misses, answered.misses) == (1, 0, 0)
