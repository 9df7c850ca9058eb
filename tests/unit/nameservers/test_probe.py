"""SOA probes: what counts as an answer."""

import asyncio
import socket

import dns.flags
import dns.message
import dns.rrset
import pytest

from rackrelay.nameservers.probe import Prober, Question, read_serial
from rackrelay.nameservers.server import NameServer
from tests import gen
from tests.fakes.name_server import FakeNameServer

QUERY = dns.message.make_query("maas-internal.", "SOA", id=7)


def answer(*records: str) -> bytes:
    message = dns.message.make_response(QUERY)
    message.flags |= dns.flags.AA
    message.answer = [dns.rrset.from_text("maas-internal.", 15, "IN", *r.split(maxsplit=1)) for r in records]
    return message.to_wire()


SOA = "SOA localhost. hostmaster.maas-internal. 42 3600 600 604800 1"


def test_serial_of_an_answer() -> None:
    assert read_serial(answer(SOA)) == 42


@pytest.mark.parametrize(
    "wire",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\x00" * 5, id="too short"),
        pytest.param(b"\xff" * 64, id="noise"),
        pytest.param(answer(), id="no SOA: SERVFAIL, REFUSED, a zone that is not loaded"),
        pytest.param(answer("NS localhost."), id="another record"),
        pytest.param(answer(SOA)[:-4], id="cut off"),
    ],
)
def test_other_answers_have_no_serial(wire: bytes) -> None:
    assert read_serial(wire) is None


class Probe:
    """A Prober with what it heard."""

    def __init__(self) -> None:
        self.heard: list[tuple[NameServer, int]] = []

    async def __aenter__(self) -> "Probe":
        self.prober = Prober(lambda server, serial: self.heard.append((server, serial)))
        return self

    async def __aexit__(self, *_: object) -> None:
        self.prober.close()

    async def until_heard(self, count: int) -> None:
        async with asyncio.timeout(5):
            while len(self.heard) < count:  # noqa: ASYNC110 - the prober has a callback, no event
                await asyncio.sleep(0.005)


async def test_servers_are_asked_and_heard() -> None:
    with FakeNameServer(gen.zone(3), None) as one, FakeNameServer(gen.zone(4), None) as other:
        servers = [gen.server(f"rack{f.port}", f.address, f.port) for f in (one, other)]
        async with Probe() as probe:
            for server in servers:
                probe.prober.ask(Question(server, gen.DOMAIN))
            await probe.until_heard(2)
    assert sorted(probe.heard, key=lambda h: h[1]) == [(servers[0], 3), (servers[1], 4)]


async def test_silent_and_absent_servers_are_not_heard_and_do_no_harm() -> None:
    with FakeNameServer(gen.zone(3), None) as good, FakeNameServer(gen.zone(4), None) as silent:
        silent.silent = True
        gone = FakeNameServer(gen.zone(5), None).start()
        gone.close()
        async with Probe() as probe:
            for fake in (silent, gone, good):
                probe.prober.ask(Question(gen.server("x", fake.address, fake.port), gen.DOMAIN))
            await probe.until_heard(1)
            await asyncio.sleep(0.05)
    assert [serial for _, serial in probe.heard] == [3]


async def test_only_the_answer_to_the_last_question_counts() -> None:
    """A forged or late answer, by another message id or from another address, is nobody's."""
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other,
    ):
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(5)
        server = gen.server("rack1", "127.0.0.1", sock.getsockname()[1])
        async with Probe() as probe:
            probe.prober.ask(Question(server, gen.DOMAIN))
            first, peer = await asyncio.to_thread(sock.recvfrom, 512)
            probe.prober.ask(Question(server, gen.DOMAIN))
            last, _ = await asyncio.to_thread(sock.recvfrom, 512)
            body = answer(SOA)[2:]
            wrong = ((int.from_bytes(last[:2], "big") + 1) % 65536).to_bytes(2, "big")
            sock.sendto(wrong + body, peer)
            if first[:2] != last[:2]:
                sock.sendto(first[:2] + body, peer)
            other.sendto(last[:2] + body, peer)
            await asyncio.sleep(0.05)
            assert probe.heard == []
            sock.sendto(last[:2] + body, peer)
            await probe.until_heard(1)
            sock.sendto(last[:2] + body, peer)
            await asyncio.sleep(0.05)
    assert probe.heard == [(server, 42)]
