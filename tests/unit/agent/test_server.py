"""Who gets the status document."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from rackrelay.agent.server import StatusServer
from rackrelay.protocol import signing

NOW = 1_800_000_000
KEY = b"agent key"


async def say(_query: Mapping[str, str]) -> bytes:
    """What /status answers here."""
    return b'{"a": 1}'


async def ask(query: Mapping[str, str]) -> bytes:
    """A path that answers what it was asked for, and refuses to be asked for nothing."""
    if not query:
        raise ValueError("nothing asked")
    return json.dumps(query).encode()


@pytest.fixture
def server(tmp_path: Path) -> StatusServer:
    """A server whose key is mounted and whose clock stands still."""
    (tmp_path / "key").write_text(KEY.decode())
    return StatusServer(tmp_path, {"/status": say, "/asked": ask}, clock=lambda: NOW + 0.5)


def build_request(
    key: bytes = KEY, path: str = "/status", at: int = NOW, signed: str = "/status", **replaced: str
) -> bytes:
    """A request as the operator makes it, with parts replaced."""
    headers = {
        signing.HEADER_TIME: str(at),
        signing.HEADER_NONCE: "n1",
        signing.HEADER_SIGNATURE: signing.sign_request(key, signed, at, "n1"),
    }
    headers.update({name.replace("_", "-"): value for name, value in replaced.items()})
    lines = [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


async def test_signed_request_gets_a_signed_answer(server: StatusServer) -> None:
    head, _, body = (await server.answer(build_request())).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    assert body == b'{"a": 1}'
    assert f"{signing.HEADER_SIGNATURE}: {signing.sign_answer(KEY, 'n1', body)}".encode() in head


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GET /status HTTP/1.1\r\n\r\n",
        b"\r\n\r\n",
        b"\xff\xfe\r\n\r\n",
        build_request(key=b"other"),
        build_request(signed="/other"),
        build_request(at=NOW - signing.MAX_SKEW_S - 1),
        build_request(at=NOW + signing.MAX_SKEW_S + 1),
        build_request(X_Rackrelay_Nonce="n2"),
        build_request(X_Rackrelay_Time=str(NOW + 1)),
        build_request(X_Rackrelay_Time="9" * 4000),
        build_request(X_Rackrelay_Time="²"),
        build_request(X_Rackrelay_Signature="ä"),
    ],
)
async def test_everything_else_is_unauthorized(server: StatusServer, request_bytes: bytes) -> None:
    answer = await server.answer(request_bytes)
    assert answer.startswith(b"HTTP/1.1 401 ")
    assert b'"a"' not in answer


async def test_other_paths_are_unknown_even_when_signed(server: StatusServer) -> None:
    assert (await server.answer(build_request(path="/", signed="/"))).startswith(b"HTTP/1.1 404 ")


async def test_query_is_signed_and_read(server: StatusServer) -> None:
    target = "/asked?since=7&epoch=a%20b"
    answer = await server.answer(build_request(path=target, signed=target))
    assert answer.endswith(b'{"since": "7", "epoch": "a b"}')
    assert (await server.answer(build_request(path=target, signed="/asked"))).startswith(b"HTTP/1.1 401 ")


async def test_query_without_sense_is_a_bad_request(server: StatusServer) -> None:
    assert (await server.answer(build_request(path="/asked", signed="/asked"))).startswith(b"HTTP/1.1 400 ")


async def test_without_a_mounted_key_nobody_gets_in(tmp_path: Path) -> None:
    server = StatusServer(tmp_path, {"/status": say}, clock=lambda: NOW)
    assert (await server.answer(build_request(key=b""))).startswith(b"HTTP/1.1 401 ")
