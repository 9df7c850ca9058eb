"""Signatures of status requests and answers."""

import pytest

from rackrelay.protocol.signing import MAX_SKEW_S, is_fresh, matches, sign_answer, sign_request

KEY = b"agent key"
REQUEST = sign_request(KEY, "/status", 1000, "n")


@pytest.mark.parametrize(
    "other",
    [
        sign_request(b"other key", "/status", 1000, "n"),
        sign_request(KEY, "/other", 1000, "n"),
        sign_request(KEY, "/status", 1001, "n"),
        sign_request(KEY, "/status", 1000, "m"),
        sign_request(KEY, "/status", 100, "0n"),
        sign_answer(KEY, "n", b"/status"),
        "",
        "\udcff",
        "ü",
    ],
    ids=["key", "path", "time", "nonce", "parts shifted", "an answer", "nothing", "no text", "not ASCII"],
)
def test_every_part_counts(other: str) -> None:
    assert not matches(REQUEST, other)


def test_same_request_has_the_same_signature() -> None:
    assert matches(REQUEST, sign_request(KEY, "/status", 1000, "n"))


def test_answer_is_bound_to_its_request() -> None:
    assert sign_answer(KEY, "n", b"body") != sign_answer(KEY, "m", b"body")
    assert sign_answer(KEY, "n", b"body") != sign_answer(KEY, "n", b"other")
    assert sign_answer(KEY, "ab", b"c") != sign_answer(KEY, "a", b"bc")


@pytest.mark.parametrize(
    ("difference", "fresh"), [(0, True), (MAX_SKEW_S, True), (-MAX_SKEW_S, True), (301, False), (-301, False)]
)
def test_clocks_may_differ_a_little(difference: int, fresh: bool) -> None:
    assert is_fresh(10_000, 10_000 + difference) is fresh
