"""Publishing at a name server of somebody else's: what it takes, what it refuses, and in which words that is told."""

import base64
import dataclasses
from collections.abc import Iterator
from functools import partial

import pytest

from rackrelay.errors import NotLeading
from rackrelay.nameservers import external
from rackrelay.nameservers.external import External, Unpublished, edit_external, read_external
from rackrelay.zone.plan import Zone
from tests import gen
from tests.fakes.external_server import OWNERS, FakeExternal

KEY = dataclasses.replace(gen.KEY, algorithm="hmac-sha512")
WANTED = Zone(gen.DOMAIN, 15, 4, {("10-10-0-0--24", "A"): ("10.10.0.2", "10.10.0.3")})
EMPTY = Zone(gen.DOMAIN, 15, 5)


@pytest.fixture
def server() -> Iterator[FakeExternal]:
    with FakeExternal(gen.DOMAIN, KEY) as fake:
        yield fake


@pytest.fixture
def place(server: FakeExternal) -> External:
    return External(gen.server("outside", server.address, server.port), gen.DOMAIN, KEY)


async def publish(place: External, wanted: Zone = WANTED) -> tuple[str, ...]:
    return await edit_external(place, await read_external(place), wanted, bool)


async def test_names_come_and_go_and_what_is_its_owners_stays(server: FakeExternal, place: External) -> None:
    assert await publish(place) == ("10-10-0-0--24",)
    assert server.records == {**OWNERS, ("10-10-0-0--24", "A"): (15, ("10.10.0.2", "10.10.0.3"))}
    assert await publish(place) == ()
    assert await publish(place, EMPTY) == ("10-10-0-0--24",)
    assert server.records == OWNERS
    assert server.zone.serial == 2026112203, "it raises its serial itself, once for each UPDATE"


async def test_same_serial_is_read_once(server: FakeExternal, place: External) -> None:
    await publish(place)
    known = await read_external(place)
    server.record.transfers = 0
    assert await read_external(place, known) is known
    assert server.record.transfers == 0
    server.write("scanner", "A", "10.9.9.9")
    again = await read_external(place, known)
    assert again.serial == known.serial + 1
    assert (again.content, server.record.transfers) == (known.content, 1)


async def test_what_changed_after_it_was_read_is_not_overwritten_unseen(server: FakeExternal, place: External) -> None:
    reading = await read_external(place)
    server.before_update = partial(server.write, "10-10-0-0--24", "A", "10.66.0.1")
    with pytest.raises(Unpublished) as refused:
        await edit_external(place, reading, WANTED, bool)
    assert refused.value.trouble.reason == external.CHANGING
    server.before_update = bool
    assert server.names() == {"10-10-0-0--24": ("10.66.0.1",)}
    await publish(place)
    assert server.names() == {"10-10-0-0--24": ("10.10.0.2", "10.10.0.3")}


async def test_who_does_not_lead_sends_nothing(server: FakeExternal, place: External) -> None:
    def fence() -> None:
        raise NotLeading("another leads")

    reading = await read_external(place)
    with pytest.raises(NotLeading):
        await edit_external(place, reading, WANTED, fence)
    assert server.record.updates == []


@pytest.mark.parametrize(
    ("refused", "reason"),
    [("SOA", external.ZONE_MISSING), ("AXFR", external.TRANSFER_REFUSED), ("UPDATE", external.UPDATE_REFUSED)],
)
async def test_refusal_is_told_by_its_kind(server: FakeExternal, place: External, refused: str, reason: str) -> None:
    server.refuses.add(refused)
    with pytest.raises(Unpublished, match="REFUSED") as raised:
        await publish(place)
    assert raised.value.trouble.reason == reason


async def test_server_that_does_not_sign_does_not_know_the_key(place: External) -> None:
    other = dataclasses.replace(KEY, secret=base64.b64encode(b"another").decode())
    with pytest.raises(Unpublished, match="does not sign") as raised:
        await publish(dataclasses.replace(place, key=other))
    assert raised.value.trouble.reason == external.KEY_REFUSED


@pytest.mark.parametrize("closed", [True, False], ids=["refused by the kernel", "silent"])
async def test_server_out_of_reach(
    server: FakeExternal, place: External, closed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(external, "TIMEOUT_S", 0.05)
    server.silent = True
    if closed:
        server.close()
    with pytest.raises(Unpublished) as raised:
        await publish(place)
    assert raised.value.trouble.reason == external.UNREACHABLE


async def test_lost_answer_to_an_update_is_told_and_seen_when_it_is_read_next(
    server: FakeExternal, place: External, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(external, "UPDATE_TIMEOUT_S", 0.3)
    server.lose_answers = 1
    with pytest.raises(Unpublished) as raised:
        await publish(place)
    assert raised.value.trouble.reason == external.UNREACHABLE
    assert await publish(place) == ()
