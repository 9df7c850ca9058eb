"""From what was seen of a rack to its tier."""

from dataclasses import replace
from typing import Any

import pytest

from rackrelay.model.detection import FailureDetection
from rackrelay.zone.evidence import (
    PULL_LAG_S,
    SERIAL_LAG_S,
    STATUS_STALE_S,
    Evidence,
    Judgement,
    Tier,
    judge,
    lost_together,
)
from tests import gen

NOW, USUAL = 100.0, FailureDetection()
SQUID_DOWN = gen.status(failing={"squid": "connection refused"})
NO_REGION = gen.status(regions_reachable=0)


def reason(evidence: Evidence, now: float = NOW) -> str:
    return judge(evidence, now, USUAL).reason


def test_rack_that_passes_all_checks_is_healthy() -> None:
    assert judge(gen.evidence(), NOW, USUAL) == Judgement(Tier.HEALTHY)


@pytest.mark.parametrize(
    ("evidence", "tier", "expected"),
    [
        pytest.param(gen.evidence(misses=2), Tier.HEALTHY, "", id="two lost packets"),
        pytest.param(gen.evidence(misses=3), Tier.UNREACHABLE, "NoAnswer", id="three misses"),
        pytest.param(gen.evidence(answered_at=None), Tier.UNREACHABLE, "NoAnswer", id="never answered"),
        pytest.param(gen.evidence(drained=True), Tier.DRAINED, "Drained", id="drained by a person"),
        pytest.param(gen.evidence(leaving=True), Tier.LEAVING, "PodStopping", id="pod is being deleted"),
        pytest.param(
            gen.evidence(status=None, status_at=None), Tier.DEGRADED, "AgentSilent", id="agent never answered"
        ),
        pytest.param(
            gen.evidence(status=None, status_at=None, status_problem="of version 9"),
            Tier.DEGRADED,
            "AgentUnreadable",
            id="agent of a later release",
        ),
        pytest.param(gen.evidence(status=SQUID_DOWN), Tier.DEGRADED, "DaemonFailing", id="a daemon fails"),
        pytest.param(gen.evidence(status=NO_REGION), Tier.DEGRADED, "NoRegion", id="no region in reach"),
        pytest.param(gen.evidence(behind_since=NOW - SERIAL_LAG_S), Tier.DEGRADED, "ZoneBehind", id="old zone"),
    ],
)
def test_each_check(evidence: Evidence, tier: Tier, expected: str) -> None:
    found = judge(evidence, NOW, USUAL)
    assert (found.tier, found.reason) == (tier, expected)
    assert bool(found.message) is (tier is not Tier.HEALTHY)


def test_first_check_that_finds_something_decides() -> None:
    """Everything is wrong; what is worst is mended step by step, and the next reason shows."""
    evidence = gen.evidence(
        misses=9, leaving=True, drained=True, status=replace(SQUID_DOWN, regions_reachable=0), status_at=0.0,
        behind_since=0.0,
    )  # fmt: skip
    seen = []
    for mended in (
        {"misses": 0},
        {"leaving": False},
        {"drained": False},
        {"status_at": NOW},
        {"status": NO_REGION},
        {"status": gen.status()},
        {"behind_since": None},
    ):
        seen.append(reason(evidence))
        evidence = replace(evidence, **mended)
    assert seen == ["NoAnswer", "PodStopping", "Drained", "AgentSilent", "DaemonFailing", "NoRegion", "ZoneBehind"]
    assert reason(evidence) == ""


def test_silence_of_the_agent_is_measured_by_the_clock_that_is_given() -> None:
    evidence = gen.evidence(status_at=NOW)
    assert reason(evidence, NOW + STATUS_STALE_S) == ""
    assert reason(evidence, NOW + STATUS_STALE_S + 0.1) == "AgentSilent"


@pytest.mark.parametrize(
    ("misses", "detection", "tier"),
    [
        (2, FailureDetection(misses=2), Tier.UNREACHABLE),
        (9, FailureDetection(misses=10), Tier.HEALTHY),
        (10, FailureDetection(misses=10), Tier.UNREACHABLE),
    ],
)
def test_as_many_misses_count_as_the_region_asks_for(misses: int, detection: FailureDetection, tier: Tier) -> None:
    assert judge(gen.evidence(misses=misses), NOW, detection).tier is tier


def test_who_is_patient_with_a_rack_is_so_with_its_agent() -> None:
    evidence, patient = gen.evidence(status_at=NOW), FailureDetection(interval_s=5.0, misses=3)
    assert judge(evidence, NOW + 15.0, patient).tier is Tier.HEALTHY
    assert judge(evidence, NOW + 15.1, patient).reason == "AgentSilent"
    assert judge(evidence, NOW + STATUS_STALE_S, FailureDetection(interval_s=0.1, misses=2)).tier is Tier.HEALTHY


def test_serial_may_lag_for_a_moment() -> None:
    evidence = gen.evidence(behind_since=NOW)
    assert reason(evidence, NOW + SERIAL_LAG_S - 0.1) == ""
    assert reason(evidence, NOW + SERIAL_LAG_S) == "ZoneBehind"


def test_rack_that_only_a_region_hears_has_the_time_that_pulling_takes() -> None:
    evidence = gen.evidence(misses=9, heard=True, heard_serial=7, behind_since=NOW)
    assert reason(evidence, NOW + PULL_LAG_S - 0.1) == ""
    found = judge(replace(evidence, status_at=NOW + PULL_LAG_S), NOW + PULL_LAG_S, USUAL)
    assert (found.reason, "from a region" in found.message) == ("ZoneBehind", True)


def test_rack_that_knows_no_region_yet_is_not_blamed() -> None:
    assert reason(gen.evidence(status=gen.status(regions_reachable=0, regions_known=0))) == ""


def test_failing_daemons_are_named_with_their_words() -> None:
    found = judge(gen.evidence(status=gen.status(failing={"nginx": "503", "squid": "no answer"})), NOW, USUAL)
    assert found.message == "nginx: 503; squid: no answer"


def test_tiers_are_ordered_best_first() -> None:
    assert sorted(Tier) == [Tier.HEALTHY, Tier.DEGRADED, Tier.DRAINED, Tier.LEAVING, Tier.UNREACHABLE]
    assert (Tier.DRAINED.word, Tier.LEAVING.word) == ("Drained", "Drained")
    assert Tier.UNREACHABLE.word == "Unreachable"


@pytest.mark.parametrize(
    ("evidence", "tier"),
    [
        pytest.param({"heard": True, "heard_serial": 7}, Tier.HEALTHY, id="a region hears it"),
        pytest.param({"heard": True}, Tier.DEGRADED, id="a region hears that its named is dead"),
        pytest.param({"heard": True, "lost": True}, Tier.UNREACHABLE, id="its node boots, its named does not run yet"),
        pytest.param({"heard": True, "answered_at": None}, Tier.UNREACHABLE, id="it never answered anybody"),
        pytest.param({"heard": True, "heard_serial": 7, "lost": True}, Tier.HEALTHY, id="it is back by its own word"),
        pytest.param({"heard": False}, Tier.UNREACHABLE, id="no region hears it"),
        pytest.param({"heard": None}, Tier.UNREACHABLE, id="no region can tell"),
        pytest.param({"heard": None, "lost_together": True}, Tier.DEGRADED, id="one of many, nobody else can tell"),
        pytest.param({"heard": False, "lost_together": True}, Tier.UNREACHABLE, id="one of many, a region agrees"),
        pytest.param(
            {"heard": None, "lost_together": True, "node_ready": False},
            Tier.UNREACHABLE,
            id="one of many, its kubelet is not heard either",
        ),
    ],
)
def test_second_vantage_point(evidence: dict[str, Any], tier: Tier) -> None:
    assert judge(gen.evidence(misses=9, **evidence), NOW, USUAL).tier is tier


@pytest.mark.parametrize(
    ("silent_since", "together"),
    [
        pytest.param({"a": 1.0, "b": 1.5, "c": None}, {"a", "b"}, id="two of three"),
        pytest.param({"a": 1.0, "b": 9.0, "c": None}, set(), id="not in the same second"),
        pytest.param({"a": 1.0, "b": 1.5, "c": None, "d": None}, set(), id="half is not most"),
        pytest.param({"a": 1.0, "b": 1.0}, set(), id="two racks are no crowd"),
        pytest.param({"a": 1.0, "b": 1.2, "c": 1.4, "d": 50.0}, {"a", "b", "c"}, id="a later one is on its own"),
        pytest.param({}, set(), id="no racks"),
    ],
)
def test_lost_together(silent_since: dict[str, float | None], together: set[str]) -> None:
    assert lost_together(silent_since) == together
