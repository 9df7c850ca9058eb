"""The chaos test's judge: what it lets pass and what it does not."""

from tests.e2e.chaos.judge import RECOVERY_S, Fault, Seen, Subnet, find_dead_served, find_empty, find_unanswered

NET = Subnet({"r1": "10.0.0.1", "r2": "10.0.0.2", "r3": "10.0.0.3"})
R1 = frozenset({"10.0.0.1"})
CUT = Fault("power cut", "r1", 99.8, 100.0, 120.0, R1, deafens=True)


def silent(server: str, *times: float) -> list[Seen]:
    return [Seen(server, time, None) for time in times]


def served(server: str, time: float, *addresses: str) -> Seen:
    return Seen(server, time, time, addresses)


def test_rack_without_a_fault_must_answer() -> None:
    seen = [*silent("10.0.0.2", 100.0, 100.1), served("10.0.0.2", 100.2), *silent("10.0.0.2", 100.3)]
    assert list(find_unanswered(seen, NET, [CUT])) == [
        "r2 did not answer 2 queries from 100.0 s to 100.1 s",
        "r2 did not answer 1 queries from 100.3 s to 100.3 s",
    ]


def test_rack_with_a_fault_need_not() -> None:
    seen = silent("10.0.0.1", 101.0, 101.1, 101.2, 121.0, 121.1, 121.2)
    assert not list(find_unanswered([*seen, served("10.0.0.1", 122.0)], NET, [CUT]))


def test_rack_with_a_fault_that_machines_cannot_notice_must_answer() -> None:
    seen = silent("10.0.0.1", 101.0, 101.1, 101.2)
    assert (
        len(list(find_unanswered(seen, NET, [Fault("cut node cable", "r1", 100.0, 100.0, 105.0, deafens=True)]))) == 1
    )


def test_rack_that_came_back_must_answer() -> None:
    seen = [served("10.0.0.1", 122.0), *silent("10.0.0.1", 122.1, 122.2, 122.3)]
    assert len(list(find_unanswered(seen, NET, [CUT]))) == 1


def test_rack_must_come_back() -> None:
    late = 121 + RECOVERY_S
    assert len(list(find_unanswered(silent("10.0.0.1", late, late + 0.1, late + 0.2), NET, [CUT]))) == 1


def test_dead_address_after_the_bound() -> None:
    seen = [served("10.0.0.2", 101.0, "10.0.0.1", "10.0.0.2"), served("10.0.0.2", 102.0, "10.0.0.1", "10.0.0.2")]
    assert not list(find_dead_served(seen[:1], NET, [CUT], 1.5))
    assert len(list(find_dead_served(seen, NET, [CUT], 1.5))) == 1


def test_address_that_answers_again_is_dead_no_more() -> None:
    back = served("10.0.0.1", 103.0, "10.0.0.1")
    assert not list(find_dead_served([back, served("10.0.0.2", 104.0, "10.0.0.1")], NET, [CUT], 1.5))
    assert len(list(find_dead_served([back, served("10.0.0.2", 102.9, "10.0.0.1")], NET, [CUT], 1.5))) == 1


def test_answer_without_an_address() -> None:
    seen = [served("10.0.0.2", 101.0), served("10.0.0.2", 102.0, "10.0.0.2"), *silent("10.0.0.2", 103.0)]
    assert len(list(find_empty(seen, NET))) == 1


def test_dead_address_while_nobody_could_publish() -> None:
    outage = Fault("API outage", None, 95.0, 95.0, 99.0)
    assert not list(find_dead_served([served("10.0.0.2", 110.0, "10.0.0.1")], NET, [CUT, outage], 1.5))


def test_dead_address_at_a_rack_that_could_not_hear() -> None:
    seen = [served("10.0.0.2", 110.0, "10.0.0.1")]
    deaf = Fault("cut node cable", "r2", 90.0, 90.0, 130.0, deafens=True)
    assert not list(find_dead_served(seen, NET, [CUT, deaf], 1.5))
    ill = Fault("killed nginx", "r2", 90.0, 90.0, 130.0)
    assert len(list(find_dead_served(seen, NET, [CUT, ill], 1.5))) == 1


def test_dead_address_of_a_rack_that_serves_another_subnet() -> None:
    elsewhere = Fault("cut cable of prov1", "r1", 99.8, 100.0, 120.0, frozenset({"10.1.0.1"}))
    assert not list(find_dead_served([served("10.0.0.2", 110.0, "10.0.0.1")], NET, [elsewhere], 1.5))


def test_dead_address_when_no_rack_is_well() -> None:
    ill = [Fault("killed nginx", rack, 95.0, 95.0, 96.0) for rack in ("r2", "r3")]
    assert not list(find_dead_served([served("10.0.0.2", 110.0, "10.0.0.1")], NET, [CUT, *ill], 1.5))


def test_dead_address_that_too_few_racks_can_notice() -> None:
    switch = Fault("switch of prov0 passes nothing on", "r1", 99.8, 100.0, 120.0, R1, witnesses=2)
    seen = [served("10.0.0.2", 110.0, "10.0.0.1")]
    assert len(list(find_dead_served(seen, NET, [switch], 1.5))) == 1
    assert not list(find_dead_served(seen, NET, [switch, Fault("killed nginx", "r3", 95.0, 95.0, 99.0)], 1.5))
