"""What `helm test` asks, and what it makes of the answers."""

import importlib.util
import socket
import threading
import urllib.error
from collections.abc import Callable, Iterator
from email.message import Message
from typing import Any

import dns.flags
import dns.message
import dns.rrset
import pytest

from lab.paths import REPOSITORY

SCRIPT = REPOSITORY / "charts/rackrelay/files/ask_racks.py"
SPEC = importlib.util.spec_from_file_location("ask_racks", SCRIPT)
assert SPEC
assert SPEC.loader
ask_racks = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(ask_racks)

NAME = "10-10-0-0--24.maas-internal"


def build_subnet(cidr: str, addresses: list[str], *racks: tuple[str, str]) -> dict[str, Any]:
    """A Subnet whose status names racks as (node, tier)."""
    status = {"dnsName": NAME, "addresses": addresses, "racks": [{"name": n, "tier": t} for n, t in racks]}
    return {"spec": {"cidr": cidr}, "status": status}


def build_pod(node: str, address: str) -> dict[str, Any]:
    return {"spec": {"nodeName": node}, "status": {"hostIP": address}}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a name server on loopback that knows one name."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        send = ask_racks.dns.query.udp_with_fallback
        monkeypatch.setattr(
            ask_racks.dns.query, "udp_with_fallback", lambda query, where, timeout: send(query, where, timeout, port)
        )
        thread = threading.Thread(target=answer_once, args=(listener,))
        thread.start()
        yield "127.0.0.1"
        thread.join()


def answer_once(listener: socket.socket) -> None:
    wire, client = listener.recvfrom(4096)
    response = dns.message.make_response(dns.message.from_wire(wire))
    response.flags |= dns.flags.AA
    response.answer.append(dns.rrset.from_text(NAME + ".", 15, "IN", "A", "10.10.0.2", "10.10.0.3"))
    listener.sendto(response.to_wire(), client)


def test_every_rack_in_reach_is_asked() -> None:
    subnet = build_subnet("10.10.0.0/24", ["10.10.0.2"], ("n1", "Healthy"), ("n2", "Unreachable"), ("n3", "Drained"))
    pods = [build_pod("n1", "192.0.2.1"), build_pod("n2", "192.0.2.2"), build_pod("n3", "192.0.2.3")]
    questions = list(ask_racks.plan_questions([subnet], pods))
    assert [(q.rack, q.server, q.name, q.record) for q in questions] == [
        ("n1", "192.0.2.1", NAME, "A"),
        ("n3", "192.0.2.3", NAME, "A"),
    ]


def test_ipv6_subnet_is_asked_for_aaaa() -> None:
    subnet = build_subnet("fd00:10::/64", ["fd00:10::2"], ("n1", "Healthy"))
    (question,) = ask_racks.plan_questions([subnet], [build_pod("n1", "192.0.2.1")])
    assert question.record == "AAAA"


def test_name_with_both_families_is_asked_for_each() -> None:
    subnet = build_subnet("10.10.0.0/24", ["10.10.0.2", "fd00:10::2", "fd00:10::3"], ("n1", "Healthy"))
    questions = list(ask_racks.plan_questions([subnet], [build_pod("n1", "192.0.2.1")]))
    assert [(q.record, q.expected) for q in questions] == [
        ("A", {"10.10.0.2"}),
        ("AAAA", {"fd00:10::2", "fd00:10::3"}),
    ]


@pytest.mark.parametrize(
    "subnet",
    [
        {"spec": {"cidr": "10.10.0.0/24"}},
        build_subnet("10.10.0.0/24", [], ("n1", "Healthy")),
        {"spec": {"cidr": "10.10.0.0/24"}, "status": {"addresses": ["10.10.0.2"], "racks": [{"name": "n1"}]}},
        build_subnet("10.10.0.0/24", ["10.10.0.2"], ("gone", "Healthy")),
    ],
    ids=["no status", "no address", "no name", "no pod"],
)
def test_nothing_to_ask(subnet: dict[str, Any]) -> None:
    assert not list(ask_racks.plan_questions([subnet], [build_pod("n1", "192.0.2.1")]))


def test_right_answer(server: str) -> None:
    expected = frozenset({"10.10.0.3", "10.10.0.2"})
    assert ask_racks.ask(ask_racks.Question("n1", server, NAME, "A", expected)) == ""


def test_wrong_answer_is_told_with_both_sides(server: str) -> None:
    complaint = ask_racks.ask(ask_racks.Question("n1", server, NAME, "A", frozenset({"10.10.0.9"})))
    assert "['10.10.0.2', '10.10.0.3']" in complaint
    assert "10.10.0.9" in complaint


@pytest.mark.parametrize(
    ("served", "questions", "complaint", "code", "says"),
    [
        (0, [], "", 0, "no Subnet's name has an address yet in machines: nothing to ask"),
        (1, [], "", 1, "no rack that could be asked"),
        (1, [("n1", "192.0.2.1", NAME, "A", frozenset({"10.10.0.2"}))], "", 0, f"n1 (192.0.2.1): {NAME} A: 10.10.0.2"),
        (1, [("n1", "192.0.2.1", NAME, "A", frozenset())], "no answer", 1, "no answer"),
    ],
    ids=["nothing yet", "no rack", "right", "wrong"],
)
def test_verdict(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    served: int,
    questions: list[tuple[Any, ...]],
    complaint: str,
    code: int,
    says: str,
) -> None:
    planned = [ask_racks.Question(*question) for question in questions]
    monkeypatch.setattr(ask_racks, "PATIENCE_S", -1.0)
    monkeypatch.setattr(ask_racks, "read_questions", lambda namespaces: (served, planned))
    monkeypatch.setattr(ask_racks, "ask", lambda question: complaint)
    assert ask_racks.main(["machines"]) == code
    assert says in capsys.readouterr().out


@pytest.mark.parametrize("code", [429, 503])
def test_an_api_server_that_asks_for_patience_gets_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], code: int
) -> None:
    answers: Iterator[Callable[[], Any]] = iter([refuse(code), lambda: (0, [])])
    monkeypatch.setattr(ask_racks.time, "sleep", lambda seconds: None)
    monkeypatch.setattr(ask_racks, "read_questions", lambda namespaces: next(answers)())
    assert ask_racks.main(["machines"]) == 0
    assert "nothing to ask" in capsys.readouterr().out


def test_a_refusal_is_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(ask_racks, "read_questions", lambda namespaces: refuse(403)())
    assert ask_racks.main(["machines"]) == 1
    assert "403" in capsys.readouterr().out


def refuse(code: int) -> Callable[[], Any]:
    """What listing does when the API server answers with that code."""

    def refused() -> Any:
        raise urllib.error.HTTPError("https://api", code, "no", Message(), None)

    return refused
