"""Packed text: the same bytes each time, and nothing else is taken for it."""

import gzip

import pytest

from rackrelay.protocol import packing
from rackrelay.protocol.packing import pack, unpack

TEXT = "10-10-0-0--24.maas-internal. 15 IN A 10.10.0.2\n" * 1000


def test_packed_and_back() -> None:
    assert unpack(pack(TEXT)) == TEXT
    assert len(pack(TEXT)) < len(TEXT) / 10


def test_bytes_tell_no_time() -> None:
    assert pack(TEXT)[4:8] == bytes(4)
    assert pack(TEXT) == pack(TEXT)


@pytest.mark.parametrize(
    "damaged",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"not gzip", id="something else"),
        pytest.param(pack(TEXT)[:-9], id="cut off"),
        pytest.param(pack(TEXT)[:20] + b"xxxx" + pack(TEXT)[24:], id="changed"),
        pytest.param(gzip.compress(b"\xff\xfe"), id="no text"),
    ],
)
def test_damage_is_found(damaged: bytes) -> None:
    with pytest.raises(ValueError, match=r"gzip|cut off|decode"):
        unpack(damaged)


def test_what_would_fill_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "MAX_TEXT_BYTES", len(TEXT) - 1)
    with pytest.raises(ValueError, match="longer"):
        unpack(pack(TEXT))
