"""Frames of a heartbeat session: each is good once, at its place, in its session."""

import json

import pytest

from rackrelay.agent.sessions.nonce import build_nonce
from rackrelay.protocol import frames
from rackrelay.protocol.frames import BadFrame, Beat

KEY, NONCE = b"agent key", "0" * 32
BODY = frames.beat_prefix("rack1", 7) + b"1}"
LINE = frames.sign_beat(KEY, NONCE, 1, BODY).rstrip(b"\n")


def test_frame_is_a_line_of_json_with_a_signature() -> None:
    document = json.loads(LINE)
    assert document == {"node": "rack1", "serial": 7, "seq": 1, "mac": document["mac"]}
    assert len(document["mac"]) == 64


def test_frame_opens_at_its_place() -> None:
    assert frames.parse_beat(frames.open_beat(KEY, NONCE, 1, LINE)) == Beat("rack1", 7)


@pytest.mark.parametrize(
    ("key", "nonce", "seq", "line"),
    [
        (b"other", NONCE, 1, LINE),
        (KEY, "1" * 32, 1, LINE),
        (KEY, NONCE, 2, LINE),
        (KEY, NONCE, 1, LINE.replace(b"rack1", b"rack2")),
        (KEY, NONCE, 1, LINE[:-1]),
        (KEY, NONCE, 1, LINE + b" "),
        (KEY, NONCE, 1, BODY),
        (KEY, NONCE, 1, b""),
        (KEY, NONCE, 1, frames.sign_answer(KEY, NONCE, 1, BODY).rstrip(b"\n")),
    ],
    ids=["key", "session", "replayed", "changed", "cut", "longer", "unsigned", "empty", "an answer"],
)
def test_every_other_frame_is_refused(key: bytes, nonce: str, seq: int, line: bytes) -> None:
    with pytest.raises(BadFrame):
        frames.open_beat(key, nonce, seq, line)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"node":"","serial":1}',
        b'{"node":7,"serial":1}',
        b'{"node":"r","serial":-1}',
        b'{"node":"r","serial":true}',
        b'{"node":"r","serial":4294967296}',
        b'{"node":"r","serial":1,"status":"well"}',
        b'{"node":"r","serial":1,"challenge":7}',
        b"\xff",
        b"[" * 100_000,
    ],
)
def test_signed_nonsense_is_refused(body: bytes) -> None:
    with pytest.raises(BadFrame):
        frames.parse_beat(body)


def test_status_arrives_as_it_was_sent() -> None:
    beat = frames.parse_beat(b'{"node":"r","serial":null,"seq":3,"status":{"a": [1]}}')
    assert (beat.serial, beat.status) == (None, b'{"a":[1]}')


def test_answer_belongs_to_one_frame_of_one_session() -> None:
    line = frames.sign_answer(KEY, NONCE, 4, frames.answer_prefix(9) + b"4}").rstrip(b"\n")
    assert frames.open_answer(KEY, NONCE, 4, line) == 9
    for key, nonce, seq in ((b"other", NONCE, 4), (KEY, "1" * 32, 4), (KEY, NONCE, 5)):
        with pytest.raises(BadFrame):
            frames.open_answer(key, nonce, seq, line)


def test_hello_carries_the_nonce() -> None:
    nonce = build_nonce()
    assert frames.parse_hello(frames.build_hello(nonce)) == nonce
    for line in (b"\n", b'{"nonce":"short"}\n', b'{"nonce":7}\n', b"HTTP/1.1 200 OK\n"):
        with pytest.raises(BadFrame):
            frames.parse_hello(line)
