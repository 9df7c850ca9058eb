"""Probes: what counts as a miss, and what a changed judgement sets going."""

import pytest

from rackrelay import names
from rackrelay.cluster.client import NODE, POD, RACK, REGION
from rackrelay.controllers.context import ZoneState
from rackrelay.controllers.observe import _enqueue_changes, _note_lag, _probe
from rackrelay.model.observed import NameServer
from rackrelay.model.region import RegionController
from rackrelay.probe.dns import Prober, Question
from tests import gen
from tests.unit.controllers.site import Site

DEMO = (gen.NAMESPACE, "demo")


class Asked(Prober):
    """Notes who is asked."""

    def __init__(self) -> None:
        self.questions: list[Question] = []

    def ask(self, question: Question) -> None:
        self.questions.append(question)


@pytest.fixture
def laid_out(site: Site) -> Site:
    """A region without pods and one rack."""
    site.put(REGION, gen.body("RegionController", "demo", {"domain": "racks.example.com"}))
    site.put(RACK, gen.body("RackController", "demo", {"pods": {"nodeSelector": gen.RACK_NODES}}))
    site.put(NODE, {"metadata": {"name": "rack1", "labels": gen.RACK_NODES}})
    labels = {names.LABEL_COMPONENT: names.COMPONENT_RACK, names.LABEL_RACK_CONTROLLER: "demo"}
    metadata = {"namespace": gen.NAMESPACE, "name": "x", "uid": "x", "labels": labels}
    site.put(POD, {"metadata": metadata, "spec": {"nodeName": "rack1"}, "status": {"podIP": "192.0.2.1"}})
    return site


def region(site: Site) -> RegionController:
    return site.cache.regions(gen.NAMESPACE)[0]


def rack1(site: Site) -> NameServer:
    (server,) = site.servers_of(region(site))
    return server


def answer(site: Site, serial: int = 1) -> None:
    site.book.answered(rack1(site), serial, site.now())
    sighting = site.book.find(gen.NAMESPACE, "rack1")
    assert sighting is not None
    sighting.status, sighting.status_at = gen.status("10.10.0.2/24"), site.now()


def misses(site: Site) -> int:
    sighting = site.book.find(gen.NAMESPACE, "rack1")
    assert sighting is not None
    return sighting.misses


def test_rack_is_asked_for_the_soa_of_its_regions_domain(laid_out: Site) -> None:
    prober = Asked()
    _probe(laid_out, prober, {DEMO: True})
    assert prober.questions == [Question(NameServer(gen.NAMESPACE, "rack1", "192.0.2.1", 53), "racks.example.com")]


def test_probe_without_an_answer_is_a_miss_at_the_next_one(laid_out: Site) -> None:
    prober = Asked()
    for expected in (0, 1, 2):
        _probe(laid_out, prober, {DEMO: True})
        assert misses(laid_out) == expected
    answer(laid_out)
    _probe(laid_out, prober, {DEMO: True})
    assert misses(laid_out) == 0


def test_rack_of_a_region_whose_turn_it_is_not_is_neither_asked_nor_blamed(laid_out: Site) -> None:
    prober = Asked()
    _probe(laid_out, prober, {DEMO: True})
    _probe(laid_out, prober, {})
    assert (len(prober.questions), misses(laid_out)) == (1, 0)


def test_region_says_how_many_misses_count(laid_out: Site) -> None:
    spec = {"domain": "racks.example.com", "failureDetection": {"intervalMilliseconds": 500, "misses": 5}}
    laid_out.put(REGION, gen.body("RegionController", "demo", spec))
    prober = Asked()
    _probe(laid_out, prober, {DEMO: True})
    answer(laid_out)
    reasons = []
    for _ in range(6):
        _probe(laid_out, prober, {DEMO: True})
        reasons.append(_enqueue_changes(laid_out, {}, repair=False)[DEMO]["rack1"].reason)
    assert reasons == [*[""] * 5, "NoAnswer"]


def test_operator_that_was_late_blames_nobody(laid_out: Site) -> None:
    prober = Asked()
    for _ in range(5):
        _probe(laid_out, prober, {DEMO: False})
    assert misses(laid_out) == 0


def test_changed_judgement_has_the_zone_decided_anew(laid_out: Site) -> None:
    prober = Asked()
    _probe(laid_out, prober, {DEMO: True})
    answer(laid_out)
    healthy = _enqueue_changes(laid_out, {}, repair=False)
    assert laid_out.waiting() == {"zone demo", "rack demo"}
    assert _enqueue_changes(laid_out, healthy, repair=False) == healthy
    assert laid_out.waiting() == set()
    for _ in range(4):
        _probe(laid_out, prober, {DEMO: True})
    dead = _enqueue_changes(laid_out, healthy, repair=False)
    assert dead[(gen.NAMESPACE, "demo")]["rack1"].reason == "NoAnswer"
    assert laid_out.waiting() == {"zone demo", "rack demo"}


def test_lag_is_noted_and_repaired_now_and_then(laid_out: Site) -> None:
    _probe(laid_out, Asked(), {DEMO: True})
    answer(laid_out, serial=1)
    before = _enqueue_changes(laid_out, {}, repair=False)
    laid_out.waiting()
    laid_out.zones[(gen.NAMESPACE, "demo")] = ZoneState(gen.zone(2), {}, {})
    _enqueue_changes(laid_out, before, repair=False)
    assert laid_out.waiting() == set()
    _enqueue_changes(laid_out, before, repair=True)
    assert "zone demo" in laid_out.waiting()
    answer(laid_out, serial=2)
    assert not _note_lag(laid_out, region(laid_out))
    sighting = laid_out.book.find(gen.NAMESPACE, "rack1")
    assert sighting is not None
    assert sighting.behind_since is None


def test_lag_counts_from_its_beginning(laid_out: Site) -> None:
    _probe(laid_out, Asked(), {DEMO: True})
    answer(laid_out, serial=1)
    laid_out.zones[(gen.NAMESPACE, "demo")] = ZoneState(gen.zone(2), {}, {})
    assert _note_lag(laid_out, region(laid_out))
    sighting = laid_out.book.find(gen.NAMESPACE, "rack1")
    assert sighting is not None
    since = sighting.behind_since
    assert since is not None
    assert _note_lag(laid_out, region(laid_out))
    assert sighting.behind_since == since
