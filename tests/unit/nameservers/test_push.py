"""Signed UPDATEs to name servers that answer, hang, lag and differ."""

import base64
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import dns.message
import dns.opcode
import dns.rcode
import pytest

from rackrelay.errors import NotLeading
from rackrelay.nameservers import push, update
from rackrelay.nameservers.push import MAX_UDP_BYTES, Outcome, compare, repair, send_update
from rackrelay.nameservers.server import NameServer
from rackrelay.nameservers.transfer import transfer
from rackrelay.nameservers.update import TsigKey, sign_update
from rackrelay.zone.parts import split_change
from rackrelay.zone.plan import Zone, plan_change
from rackrelay.zone.rule import Rrsets
from tests import gen
from tests.fakes.name_server import FakeNameServer

OLD = gen.zone(4, 15, stays=("10.0.0.1",), goes=("10.0.0.3",))
NEW = gen.zone(5, 15, stays=("10.0.0.1",), comes=("fd00::1", "fd00::2"))
CHANGE = plan_change(OLD, NEW)
WRONG = TsigKey(gen.KEY.name, base64.b64encode(b"another secret").decode())


class Servers(ExitStack):
    """Name servers on loopback that end with the test."""

    def add(self, zone: Zone = OLD, key: TsigKey | None = gen.KEY) -> FakeNameServer:
        return self.enter_context(FakeNameServer(zone, key))


@pytest.fixture
def servers() -> Iterator[Servers]:
    with Servers() as stack:
        yield stack


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fakes parse large messages in Python, on a machine that has other things to do."""
    monkeypatch.setattr(push, "STREAM_TIMEOUT_S", 60.0)


def at(fake: FakeNameServer) -> NameServer:
    return gen.server(f"rack{fake.port}", fake.address, fake.port)


async def test_update_reaches_every_server_and_is_signed_once(servers: Servers) -> None:
    fakes = [servers.add() for _ in range(3)]
    outcomes = await send_update(CHANGE, gen.KEY, map(at, fakes))
    assert outcomes == {at(f): Outcome.UPDATED for f in fakes}
    assert [f.zone for f in fakes] == [NEW] * 3
    wires = {wire for f in fakes for wire in f.record.updates}
    assert len(wires) == 1


async def test_same_answer_of_many_servers_is_verified_once(servers: Servers, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand verifications take a third of a second, in which nothing else happens."""
    verified: list[bytes] = []
    outcome = push._outcome

    def note(answer: bytes, *rest: Any) -> Outcome:
        verified.append(answer)
        return outcome(answer, *rest)

    monkeypatch.setattr(push, "_outcome", note)
    fakes = [servers.add() for _ in range(8)]
    outcomes = await send_update(CHANGE, gen.KEY, map(at, fakes))
    assert set(outcomes.values()) == {Outcome.UPDATED}
    # They are signed with the second in which they were given.
    assert len(verified) == len(set(verified)) <= 3


async def test_one_silent_server_does_not_hold_up_the_others(servers: Servers) -> None:
    good, silent = servers.add(), servers.add()
    silent.silent = True
    outcomes = await send_update(CHANGE, gen.KEY, [at(good), at(silent)])
    assert outcomes == {at(good): Outcome.UPDATED, at(silent): Outcome.UNREACHABLE}
    assert good.zone == NEW


async def test_retry_is_not_sent_by_who_no_longer_leads(servers: Servers) -> None:
    silent = servers.add()
    silent.silent = True

    def lead_for_one_datagram() -> None:
        if asked:
            raise NotLeading("another leads")
        asked.append(1)

    asked: list[int] = []
    with pytest.raises(NotLeading):
        await send_update(CHANGE, gen.KEY, [at(silent)], lead_for_one_datagram)
    assert asked == [1]


async def test_nobody_listens(servers: Servers) -> None:
    gone = servers.add()
    gone.close()
    assert await send_update(CHANGE, gen.KEY, [at(gone)]) == {at(gone): Outcome.UNREACHABLE}


async def test_server_with_another_version_differs_and_stays_as_it_is(servers: Servers) -> None:
    other = servers.add(gen.zone(3, 15, stays=("10.0.0.1",)))
    assert await send_update(CHANGE, gen.KEY, [at(other)]) == {at(other): Outcome.DIFFERS}
    assert other.zone.serial == 3


async def test_soa_of_another_release_differs_and_is_repaired(servers: Servers) -> None:
    """The prerequisite is the whole SOA, so the repair has to name the one that the server really has."""
    other = servers.add(replace(OLD, timers="1 2 3 4"))
    assert await send_update(CHANGE, gen.KEY, [at(other)]) == {at(other): Outcome.DIFFERS}
    assert await repair(at(other), NEW, gen.KEY) is Outcome.UPDATED
    assert (other.zone, other.zone.timers) == (NEW, NEW.timers)


async def test_lost_answer_is_asked_for_again_and_never_applied_twice(servers: Servers) -> None:
    fake = servers.add()
    fake.lose_answers = 1
    outcomes = await send_update(CHANGE, gen.KEY, [at(fake)])
    assert outcomes == {at(fake): Outcome.DIFFERS}
    assert fake.record.history == [OLD, NEW]
    assert await repair(at(fake), NEW, gen.KEY) is Outcome.UPDATED
    assert len(set(fake.record.updates)) == 1


async def test_server_with_another_key_is_not_updated(servers: Servers) -> None:
    stranger = servers.add(key=WRONG)
    outcomes = await send_update(CHANGE, gen.KEY, [at(stranger)])
    assert outcomes[at(stranger)] in (Outcome.REFUSED, Outcome.UNREACHABLE)
    assert stranger.zone == OLD


async def test_server_that_cannot_keep_a_change_has_failed(servers: Servers) -> None:
    full = servers.add()
    full.disk_full = True
    assert await send_update(CHANGE, gen.KEY, [at(full)]) == {at(full): Outcome.FAILED}
    assert await repair(at(full), NEW, gen.KEY) is Outcome.FAILED
    full.disk_full = False
    assert await repair(at(full), NEW, gen.KEY) is Outcome.UPDATED


@pytest.mark.usefixtures("patient")
async def test_large_update_goes_by_tcp_whole(servers: Servers) -> None:
    many: Rrsets = {(f"name-{i}", "A"): (f"10.1.{i // 250}.{i % 250 + 1}",) for i in range(300)}
    change = plan_change(OLD, Zone(OLD.domain, 15, 5, many))
    assert len(sign_update(change, gen.KEY).wire) > MAX_UDP_BYTES
    fake = servers.add()
    assert await send_update(change, gen.KEY, [at(fake)]) == {at(fake): Outcome.UPDATED}
    assert fake.zone == change.new


MANY: Rrsets = {(f"name-{i}", "A"): (f"10.{i // 250}.{i % 250}.1",) for i in range(2500)}


@pytest.mark.usefixtures("patient")
async def test_change_that_no_message_holds_goes_in_parts(servers: Servers) -> None:
    wanted = Zone(gen.DOMAIN, 15, 40, MANY)
    fakes = [servers.add(), servers.add()]
    outcomes = await send_update(plan_change(OLD, wanted), gen.KEY, map(at, fakes))
    assert outcomes == {at(f): Outcome.UPDATED for f in fakes}
    serials = [zone.serial for zone in fakes[0].record.history]
    assert serials[0] == 4
    assert serials[1:] == list(range(40 - len(serials) + 2, 41))
    assert len(serials) > 3
    assert [f.zone for f in fakes] == [wanted, wanted]
    assert fakes[0].record.updates == fakes[1].record.updates


@pytest.mark.usefixtures("patient")
async def test_server_that_hangs_between_parts_holds_up_nobody_and_is_repaired_from_there(servers: Servers) -> None:
    wanted = Zone(gen.DOMAIN, 15, 40, MANY)
    good, flaky = servers.add(), servers.add()
    flaky.silent_after = 2
    outcomes = await send_update(plan_change(OLD, wanted), gen.KEY, [at(good), at(flaky)])
    assert outcomes == {at(good): Outcome.UPDATED, at(flaky): Outcome.UNREACHABLE}
    assert good.zone == wanted
    assert OLD.serial < flaky.zone.serial < wanted.serial
    sent = len(good.record.updates)
    flaky.silent_after = None
    parts = split_change(plan_change(flaky.zone, wanted))
    assert len(parts) < sent
    assert (await send_update(plan_change(flaky.zone, wanted), gen.KEY, [at(flaky)]))[at(flaky)] is Outcome.UPDATED
    assert flaky.zone == wanted


@pytest.mark.usefixtures("patient")
async def test_event_loop_goes_on_while_parts_are_built(servers: Servers) -> None:
    """Another thread builds them: this one answers probes meanwhile."""
    fake = servers.add()
    threads = set()
    sign = update.sign_update

    def note_thread(*arguments: Any) -> Any:
        threads.add(threading.get_ident())
        return sign(*arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(update, "sign_update", note_thread)
        await send_update(plan_change(OLD, Zone(gen.DOMAIN, 15, 40, MANY)), gen.KEY, [at(fake)])
    assert threads
    assert threading.get_ident() not in threads


async def test_repair_without_room_for_all_parts_asks_for_a_greater_serial(servers: Servers) -> None:
    fake = servers.add()
    assert await repair(at(fake), Zone(gen.DOMAIN, 15, 5, MANY | _more(2500)), gen.KEY) is Outcome.DRIFTED
    assert fake.record.updates == []


def _more(count: int) -> Rrsets:
    return {(f"more-{i}", "A"): (f"10.{i // 250}.{i % 250}.2",) for i in range(count)}


@pytest.mark.parametrize(
    ("served", "expected"),
    [
        (NEW, Outcome.UPDATED),
        (replace(NEW, rrsets=OLD.rrsets), Outcome.DRIFTED),
        (replace(NEW, ttl_s=60), Outcome.DRIFTED),
        (OLD, Outcome.DIFFERS),
    ],
)
async def test_comparing_changes_nothing(servers: Servers, served: Zone, expected: Outcome) -> None:
    fake = servers.add(served)
    assert await compare(at(fake), NEW, gen.KEY) is expected
    assert fake.record.updates == []


async def test_comparing_with_one_that_cannot_be_reached(servers: Servers) -> None:
    gone = servers.add()
    gone.close()
    assert await compare(at(gone), NEW, gen.KEY) is Outcome.UNREACHABLE


async def test_transfer_gives_the_zone_as_it_is(servers: Servers) -> None:
    fake = servers.add(NEW)
    assert await transfer(at(fake), gen.DOMAIN, gen.KEY) == NEW


@pytest.mark.parametrize(
    "served",
    [
        pytest.param(OLD, id="one version behind"),
        pytest.param(gen.zone(0), id="empty, as a new pod"),
        pytest.param(gen.zone(2, 60, odd=("10.9.9.9",)), id="other content and another TTL"),
    ],
)
async def test_repair_brings_a_laggard_up(servers: Servers, served: Zone) -> None:
    fake = servers.add(served)
    assert await repair(at(fake), NEW, gen.KEY) is Outcome.UPDATED
    assert fake.record.history == [served, NEW]


async def test_repair_of_one_that_is_right_sends_nothing(servers: Servers) -> None:
    fake = servers.add(NEW)
    assert await repair(at(fake), NEW, gen.KEY) is Outcome.UPDATED
    assert fake.record.updates == []


@pytest.mark.parametrize(("serial", "expected"), [(5, Outcome.DRIFTED), (6, Outcome.DIFFERS)])
async def test_repair_never_lowers_a_serial(servers: Servers, serial: int, expected: Outcome) -> None:
    ahead = servers.add(gen.zone(serial, 15, odd=("10.9.9.9",)))
    assert await repair(at(ahead), NEW, gen.KEY) is expected
    assert ahead.record.updates == []


async def test_repair_of_one_that_cannot_be_reached(servers: Servers) -> None:
    gone = servers.add()
    gone.close()
    assert await repair(at(gone), NEW, gen.KEY) is Outcome.UNREACHABLE


def test_update_names_the_zone_and_carries_the_keys_name() -> None:
    signed = sign_update(CHANGE, gen.KEY)
    message = dns.message.from_wire(signed.wire, keyring=gen.KEY.tsig)
    assert message.opcode() == dns.opcode.UPDATE
    assert message.had_tsig
    assert signed.mac == message.mac


def test_key_does_not_show_its_secret() -> None:
    assert gen.KEY.secret not in f"{gen.KEY!r} {gen.KEY}"


@pytest.mark.parametrize("error", [dns.rcode.BADTIME, dns.rcode.BADKEY, dns.rcode.BADSIG])
async def test_server_that_does_not_accept_our_signature_refuses(servers: Servers, error: dns.rcode.Rcode) -> None:
    """It answers, so that it must not pass for one out of reach, of which nothing is said."""
    stranger = servers.add()
    stranger.tsig_error = error
    assert await send_update(CHANGE, gen.KEY, [at(stranger)]) == {at(stranger): Outcome.REFUSED}
    assert await repair(at(stranger), NEW, gen.KEY) is Outcome.REFUSED
    assert await compare(at(stranger), NEW, gen.KEY) is Outcome.REFUSED
    assert stranger.zone == OLD
