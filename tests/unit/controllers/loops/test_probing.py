"""Probes: what counts as a miss, and what a changed judgement sets going."""

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress

import pytest

from rackrelay import names
from rackrelay.cluster.client import NODE, POD, RACK, REGION
from rackrelay.controllers.health.sighting import RegionReport
from rackrelay.controllers.loops.probing import (
    BATCH,
    ask,
    count_misses,
    enqueue_changes,
    look_again,
    note_lag,
    probe_forever,
)
from rackrelay.controllers.state.region_state import ZoneState
from rackrelay.model.region import RegionController
from rackrelay.nameservers.probe import Prober, Question
from rackrelay.nameservers.server import NameServer
from tests import gen
from tests.unit.controllers.site import Site

DEMO = (gen.NAMESPACE, "demo")
TURN, LATE = {DEMO: True}, {DEMO: False}
# Until the next round.
REST_S = 0.25


class Asked(Prober):
    """Notes who is asked. `waiting`: what the socket holds, for `drain` to take in."""

    def __init__(self) -> None:
        self.questions: list[Question] = []
        self.waiting: list[Callable[[], None]] = []

    def ask(self, question: Question) -> None:
        self.questions.append(question)

    def drain(self) -> None:
        while self.waiting:
            self.waiting.pop()()


@pytest.fixture
def laid_out(site: Site) -> Site:
    """A region without pods and one rack."""
    site.put(REGION, gen.body("RegionController", "demo", {"domain": "racks.example.com"}))
    site.put(RACK, gen.body("RackController", "demo", {"pods": {"nodeSelector": gen.RACK_NODES}}))
    add_rack(site, 1)
    return site


def add_rack(site: Site, number: int) -> None:
    name = f"rack{number}"
    site.put(NODE, {"metadata": {"name": name, "labels": gen.RACK_NODES}})
    labels = {names.LABEL_COMPONENT: names.COMPONENT_RACK, names.LABEL_RACK_CONTROLLER: "demo"}
    metadata = {"namespace": gen.NAMESPACE, "name": f"x{number}", "uid": name, "labels": labels}
    site.put(POD, {"metadata": metadata, "spec": {"nodeName": name}, "status": {"podIP": f"192.0.2.{number}"}})


def region(site: Site) -> RegionController:
    return site.inventory.regions(gen.NAMESPACE)[0]


def rack1(site: Site) -> NameServer:
    (server,) = site.inventory.servers_of(region(site))
    return server


def answer(site: Site, serial: int = 1) -> None:
    site.health.answered(rack1(site), serial, site.now())
    site.health.take_status(rack1(site), gen.status("10.10.0.2/24"), site.now())


def misses(site: Site) -> int:
    sighting = site.health.find(gen.NAMESPACE, "rack1")
    assert sighting is not None
    return sighting.misses


async def ask_before(site: Site) -> None:
    """A question that is old enough to be missed when the next round begins."""
    await ask(site, Asked(), TURN)
    site.health.asked(rack1(site), site.now() - site.sighting("rack1").detection.interval_s)


async def test_rack_is_asked_for_the_soa_of_its_regions_domain(laid_out: Site) -> None:
    prober = Asked()
    await ask(laid_out, prober, TURN)
    assert prober.questions == [Question(NameServer(gen.NAMESPACE, "rack1", "192.0.2.1", 53), "racks.example.com")]


async def test_everybody_is_asked_in_each_round_however_many_there_are(laid_out: Site) -> None:
    count = 2 * BATCH + 1
    for number in range(2, count + 1):
        add_rack(laid_out, number)
    prober = Asked()
    await ask(laid_out, prober, TURN)
    assert len({question.server for question in prober.questions}) == count


async def test_probe_without_an_answer_is_a_miss_at_the_next_one(laid_out: Site) -> None:
    prober = Asked()
    for expected in (1, 2):
        await ask_before(laid_out)
        count_misses(laid_out, prober, TURN)
        assert misses(laid_out) == expected
    answer(laid_out)
    count_misses(laid_out, prober, TURN)
    assert misses(laid_out) == 0
    assert (laid_out.tally.probes[DEMO], laid_out.tally.misses[DEMO]) == (2, 2)


async def test_answer_that_waits_in_the_socket_is_no_miss(laid_out: Site) -> None:
    prober = Asked()
    await ask_before(laid_out)
    prober.waiting.append(lambda: answer(laid_out))
    count_misses(laid_out, prober, TURN)
    assert misses(laid_out) == 0


async def test_question_that_was_asked_a_moment_ago_is_no_miss(laid_out: Site) -> None:
    await ask(laid_out, Asked(), TURN)
    count_misses(laid_out, Asked(), TURN)
    assert misses(laid_out) == 0


async def test_rack_of_a_region_whose_turn_it_is_not_is_neither_asked_nor_blamed(laid_out: Site) -> None:
    await ask_before(laid_out)
    prober = Asked()
    count_misses(laid_out, prober, {})
    await ask(laid_out, prober, {})
    assert (len(prober.questions), misses(laid_out)) == (0, 0)


async def test_region_says_how_many_misses_count(laid_out: Site) -> None:
    spec = {"domain": "racks.example.com", "failureDetection": {"intervalMilliseconds": 500, "misses": 5}}
    laid_out.put(REGION, gen.body("RegionController", "demo", spec))
    await ask_before(laid_out)
    answer(laid_out)
    sighting = laid_out.health.find(gen.NAMESPACE, "rack1")
    assert sighting is not None
    reasons = []
    for _ in range(6):
        count_misses(laid_out, Asked(), TURN)
        enqueue_changes(laid_out, repair=False)
        assert sighting.judgement is not None
        reasons.append(sighting.judgement.reason)
        await ask_before(laid_out)
    assert reasons == [*[""] * 5, "NoAnswer"]


async def test_operator_that_was_late_blames_nobody(laid_out: Site) -> None:
    for _ in range(5):
        await ask_before(laid_out)
        count_misses(laid_out, Asked(), LATE)
    assert misses(laid_out) == 0


async def test_operator_that_sleeps_blames_nobody_and_says_so(laid_out: Site, caplog: pytest.LogCaptureFixture) -> None:
    """Probes go out, nobody answers, and the loop is blocked for longer than three misses take."""
    spec = {"failureDetection": {"intervalMilliseconds": 100, "misses": 3}}
    laid_out.put(REGION, gen.body("RegionController", "demo", spec))
    caplog.set_level(logging.WARNING)
    probing = asyncio.create_task(probe_forever(laid_out))
    for _ in range(8):
        await asyncio.sleep(0.01)
        time.sleep(0.2)  # noqa: ASYNC251 - a blocked loop is what this is about
    assert misses(laid_out) <= 1
    assert "was busy" in caplog.text
    probing.cancel()
    with suppress(asyncio.CancelledError):
        await probing


async def miss(site: Site, count: int) -> None:
    """So many probes without an answer, and one more that has just been sent."""
    for _ in range(count):
        await ask_before(site)
        count_misses(site, Asked(), TURN)
    await ask(site, Asked(), TURN)


async def test_last_miss_counts_after_half_an_interval(laid_out: Site) -> None:
    await miss(laid_out, 2)
    assert await look_again(laid_out, Asked(), REST_S)
    assert misses(laid_out) == 3
    assert laid_out.tally.misses[DEMO] == 3
    assert not await look_again(laid_out, Asked(), REST_S), "it was told already"


async def test_answer_within_half_an_interval_is_no_miss(laid_out: Site) -> None:
    await miss(laid_out, 2)
    prober = Asked()
    prober.waiting.append(lambda: answer(laid_out))
    assert not await look_again(laid_out, prober, REST_S)
    assert misses(laid_out) == 0


@pytest.mark.parametrize(("missed", "rest_s"), [(1, 0.25), (2, 0.1)])
async def test_others_are_looked_at_in_the_next_round(laid_out: Site, missed: int, rest_s: float) -> None:
    await miss(laid_out, missed)
    assert not await look_again(laid_out, Asked(), rest_s)
    assert misses(laid_out) == missed


async def test_operator_that_was_late_blames_nobody_for_the_last_miss_either(laid_out: Site) -> None:
    await miss(laid_out, 2)
    look = asyncio.create_task(look_again(laid_out, Asked(), REST_S))
    await asyncio.sleep(0.01)
    time.sleep(0.4)  # noqa: ASYNC251 - a blocked loop is what this is about
    assert not await look
    assert misses(laid_out) == 2


async def test_changed_judgement_has_the_zone_decided_anew(laid_out: Site) -> None:
    await ask_before(laid_out)
    answer(laid_out)
    enqueue_changes(laid_out, repair=False)
    assert laid_out.waiting() == {"zone demo", "rack demo"}
    enqueue_changes(laid_out, repair=False)
    assert laid_out.waiting() == set()
    for _ in range(3):
        await ask_before(laid_out)
        count_misses(laid_out, Asked(), TURN)
    enqueue_changes(laid_out, repair=False)
    sighting = laid_out.health.find(gen.NAMESPACE, "rack1")
    assert sighting is not None
    assert sighting.judgement is not None
    assert sighting.judgement.reason == "NoAnswer"
    assert laid_out.waiting() == {"zone demo", "rack demo"}


async def test_what_regions_hear_is_looked_up_for_a_silent_rack_alone(
    laid_out: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At a thousand racks, four times a second, it would be most of the work."""
    looked_up: list[str] = []
    report = laid_out.health.region_report

    def look_up(namespace: str, rack: str, now: float) -> RegionReport:
        looked_up.append(rack)
        return report(namespace, rack, now)

    monkeypatch.setattr(laid_out.health, "region_report", look_up)
    await ask_before(laid_out)
    answer(laid_out)
    enqueue_changes(laid_out, repair=False)
    assert looked_up == []
    for _ in range(3):
        await ask_before(laid_out)
        count_misses(laid_out, Asked(), TURN)
    enqueue_changes(laid_out, repair=False)
    assert looked_up == ["rack1"]


async def test_lag_is_noted_and_repaired_now_and_then(laid_out: Site) -> None:
    await ask_before(laid_out)
    answer(laid_out, serial=1)
    enqueue_changes(laid_out, repair=False)
    laid_out.waiting()
    laid_out.regions[(gen.NAMESPACE, "demo")].zone = ZoneState(gen.zone(2), {}, {})
    enqueue_changes(laid_out, repair=False)
    assert laid_out.waiting() == set()
    enqueue_changes(laid_out, repair=True)
    assert "zone demo" in laid_out.waiting()
    answer(laid_out, serial=2)
    assert not note_lag(laid_out, region(laid_out))
    sighting = laid_out.health.find(gen.NAMESPACE, "rack1")
    assert sighting is not None
    assert sighting.behind_since is None


async def test_lag_counts_from_its_beginning(laid_out: Site) -> None:
    await ask_before(laid_out)
    answer(laid_out, serial=1)
    laid_out.regions[(gen.NAMESPACE, "demo")].zone = ZoneState(gen.zone(2), {}, {})
    assert note_lag(laid_out, region(laid_out))
    sighting = laid_out.health.find(gen.NAMESPACE, "rack1")
    assert sighting is not None
    since = sighting.behind_since
    assert since is not None
    assert note_lag(laid_out, region(laid_out))
    assert sighting.behind_since == since
