"""What follows from the pace that a region asks for."""

import pytest

from rackrelay.model.detection import FailureDetection
from rackrelay.protocol.heard_document import LONGEST_WAIT_S

USUAL, FASTEST, SLOWEST = FailureDetection(), FailureDetection(0.1, 2), FailureDetection(5.0, 10)


def test_usual_pace() -> None:
    assert (USUAL.patience_s, USUAL.poll_wait_s, USUAL.hearing_fresh_s) == (0.75, 2.0, 4.0)


@pytest.mark.parametrize("detection", [USUAL, FASTEST, SLOWEST, FailureDetection(0.5, 2), FailureDetection(2.0, 3)])
def test_region_is_believed_for_longer_than_it_may_keep_silent(detection: FailureDetection) -> None:
    assert detection.poll_wait_s <= LONGEST_WAIT_S
    assert detection.hearing_fresh_s >= 2 * detection.poll_wait_s
    assert detection.hearing_fresh_s > detection.patience_s


def test_faster_pace_notices_a_region_that_hangs_sooner_and_a_slower_one_later() -> None:
    assert FASTEST.hearing_fresh_s < USUAL.hearing_fresh_s < SLOWEST.hearing_fresh_s
