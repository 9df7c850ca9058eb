"""The process that times answers, against name servers that change theirs."""

import contextlib
import threading
import time

from rackrelay.zone.plan import Zone
from tests.bench.asker import Asker, Seen, Task, read_answer, read_seen, read_task, write_seen, write_task
from tests.bench.watch import watch
from tests.fakes.name_server import FakeNameServer

BEFORE = Zone("maas-internal", 15, 1, {("prov", "A"): ("10.10.0.2", "10.10.0.3")})
AFTER = Zone("maas-internal", 15, 2, {("prov", "A"): ("10.10.0.3",)})


def build_task(*servers: FakeNameServer, patience_s: float = 20.0) -> Task:
    addresses = [(server.address, server.port) for server in servers]
    return Task("prov.maas-internal", "A", ("10.10.0.3",), addresses, 0.01, patience_s)


def ask(task: Task) -> Seen:
    with contextlib.closing(Asker(task)) as asker:
        return asker.run()


def test_each_server_is_timed_by_its_first_right_answer() -> None:
    with FakeNameServer(AFTER, None) as quick, FakeNameServer(BEFORE, None) as slow:
        began = time.monotonic()

        def change() -> None:
            slow.zone = AFTER

        timer = threading.Timer(0.5, change)
        timer.start()
        seen = ask(build_task(quick, slow))
        timer.join()
    at = seen.answered
    assert began < at[(quick.address, quick.port)] < at[(slow.address, slow.port)]
    assert at[(slow.address, slow.port)] >= began + 0.5


def test_a_server_that_never_says_it_is_not_timed() -> None:
    with FakeNameServer(BEFORE, None) as server:
        assert ask(build_task(server, patience_s=0.3)).answered == {}


def test_the_last_word_of_a_server_that_falls_silent_is_timed() -> None:
    with FakeNameServer(BEFORE, None) as dying, FakeNameServer(BEFORE, None) as other:
        task = Task(**{**vars(build_task(other, patience_s=0.6)), "heartbeat": (dying.address, dying.port)})

        def fall_silent() -> None:
            dying.silent = True

        timer = threading.Timer(0.2, fall_silent)
        began = time.monotonic()
        timer.start()
        seen = ask(task)
        timer.join()
    assert seen.last_heard is not None
    assert began < seen.last_heard < time.monotonic() - 0.2


def test_a_watcher_is_a_process_that_asks_already() -> None:
    with FakeNameServer(BEFORE, None) as server, watch((), build_task(server)) as watching:
        changed = time.monotonic()
        server.zone = AFTER
        seen = watching.finish()
    assert seen.answered[(server.address, server.port)] >= changed


def test_what_goes_from_process_to_process_comes_back_the_same() -> None:
    task = Task("a.b", "AAAA", ("fd00::1",), (("127.0.0.1", 53),), 0.1, 2.0, ("127.0.0.2", 53), 15.0)
    assert read_task(write_task(task)) == task
    seen = Seen({("127.0.0.1", 53): 12.5}, None)
    assert read_seen(write_seen(seen)) == seen


def test_no_name_is_an_answer_and_a_failure_is_none() -> None:
    header = b"\x00\x00\x00\x00\x00\x00\x00\x00"
    assert read_answer(b"\x84\x03" + header) == frozenset()
    assert read_answer(b"\x84\x02" + header) is None
    assert read_answer(b"\x84") is None
