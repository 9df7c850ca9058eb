"""Conditions: what is written, when its time changes and what is worth an Event."""

import pytest

from rackrelay.model import condition
from rackrelay.model.condition import MAX_MESSAGE, Condition, merge_conditions, transitions

EARLIER, NOW = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"
READY = Condition("Ready", True, "Applied", "all is well")
BROKEN = Condition("Ready", False, "Starting", "0 of 2 replicas are ready")


def test_new_condition_is_written_whole() -> None:
    assert merge_conditions([READY], [], 3, NOW) == [
        {
            "type": "Ready",
            "status": "True",
            "reason": "Applied",
            "message": "all is well",
            "observedGeneration": 3,
            "lastTransitionTime": NOW,
        }
    ]


def test_time_changes_only_with_the_status() -> None:
    before = merge_conditions([BROKEN], [], 1, EARLIER)
    (same,) = merge_conditions([Condition("Ready", False, "PodsNotReady", "no image")], before, 2, NOW)
    assert (same["reason"], same["message"], same["observedGeneration"]) == ("PodsNotReady", "no image", 2)
    assert same["lastTransitionTime"] == EARLIER
    (turned,) = merge_conditions([READY], before, 2, NOW)
    assert turned["lastTransitionTime"] == NOW


def test_nothing_new_gives_the_same_list() -> None:
    before = merge_conditions([BROKEN, *condition.waiting("Starting", "soon")], [], 1, EARLIER)
    again = merge_conditions([BROKEN, *condition.waiting("Starting", "soon")], before, 1, NOW)
    assert again == before


def test_list_is_sorted_and_holds_only_what_is_wanted() -> None:
    before = merge_conditions([Condition("Stalled", True, "DuplicateCIDR", "x")], [], 1, EARLIER)
    wanted = [Condition("ZonePublished", True, "a", ""), READY, Condition("ConfigApplied", True, "b", "")]
    assert [c["type"] for c in merge_conditions(wanted, before, 1, NOW)] == ["ConfigApplied", "Ready", "ZonePublished"]


def test_long_message_is_cut() -> None:
    (written,) = merge_conditions([Condition("Ready", False, "Long", "x" * 5000)], [], 1, NOW)
    assert len(written["message"]) == MAX_MESSAGE


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        pytest.param(READY, False, id="nothing new"),
        pytest.param(Condition("Ready", True, "Applied", "other words"), False, id="other words"),
        pytest.param(Condition("Ready", True, "Restored", "all is well"), True, id="another reason"),
        pytest.param(BROKEN, True, id="another status"),
        pytest.param(Condition("RacksHealthy", True, "AllHealthy", ""), True, id="a new type"),
    ],
)
def test_transitions(wanted: Condition, expected: bool) -> None:
    before = merge_conditions([READY], [], 1, EARLIER)
    assert transitions([wanted], before) == ([wanted] if expected else [])


def test_kinds_of_readiness() -> None:
    def statuses(found: tuple[Condition, ...]) -> dict[str, bool]:
        return {c.type: c.status for c in found}

    assert statuses(condition.ready("done")) == {"Ready": True}
    assert statuses(condition.waiting("Starting", "soon")) == {"Ready": False, "Reconciling": True}
    assert statuses(condition.stalled("DuplicateCIDR", "no")) == {"Ready": False, "Stalled": True}
