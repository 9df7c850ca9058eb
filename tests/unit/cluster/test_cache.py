"""The cache: records that change only when something counts, and LISTs that sweep without losing newer events."""

from dataclasses import replace

import pytest

from rackrelay import names
from rackrelay.cluster.cache import Cache, Key, Listed, Resource
from rackrelay.cluster.client import CONFIG_MAP, NODE, POD, RACK, REGION, SUBNET, Kind
from rackrelay.controllers.kinds import parsers
from rackrelay.model.subnet import Subnet
from tests import gen

NS = gen.NAMESPACE


def subnet(name: str, cidr: str = "10.10.0.0/24", **status: object) -> gen.Manifest:
    return {**gen.body("Subnet", name, {"cidr": cidr}), "status": status}


def at(version: str, cidr: str = "10.10.0.0/24", uid: str = "a") -> gen.Manifest:
    """Subnet a in one of its states."""
    return gen.body("Subnet", "a", {"cidr": cidr}, resourceVersion=version, uid=uid)


def cidrs(cache: Cache) -> list[str]:
    return [str(s.cidr) for s in cache.specs(SUBNET, NS)]


def parsed(name: str) -> Subnet:
    """As parsed from `subnet`, which has no creation time."""
    return gen.subnet("10.10.0.0/24", name, meta=gen.meta(name, created=""))


def record(name: str, **status: object) -> Resource:
    spec = parsed(name)
    return Resource(spec.meta, spec, status)


def listed(cache: Cache, kind: Kind, bodies: list[gen.Manifest]) -> dict[Key, Listed]:
    """What a LIST found."""
    return dict(cache.parse(kind, body) for body in bodies)


def known(cache: Cache) -> list[str]:
    return [s.meta.name for s in cache.specs(SUBNET, NS)]


def test_upsert_tells_what_changed() -> None:
    cache = Cache(parsers())
    assert cache.upsert(SUBNET, subnet("a")) == (None, record("a"))
    assert cache.upsert(SUBNET, subnet("a")) is None
    changed = cache.upsert(SUBNET, subnet("a", addresses=["10.10.0.2"]))
    assert changed == (record("a"), record("a", addresses=["10.10.0.2"]))


def test_heartbeat_of_a_node_changes_nothing() -> None:
    cache = Cache(parsers())
    first, second = (
        {"conditions": [{"type": "Ready", "status": "True", "lastHeartbeatTime": f"2026-01-01T00:00:0{n}Z"}]}
        for n in (1, 2)
    )
    assert cache.upsert(NODE, {"metadata": {"name": "rack1"}, "status": first}) is not None
    assert cache.upsert(NODE, {"metadata": {"name": "rack1"}, "status": second}) is None


def test_owned_object_is_kept_without_status_and_managed_fields() -> None:
    cache = Cache(parsers())
    body = {
        "metadata": {"namespace": NS, "name": "x", "resourceVersion": "7", "managedFields": [{"manager": "a"}]},
        "data": {"a": "1"},
        "status": {"ticks": 1},
    }
    cache.upsert(CONFIG_MAP, body)
    live = {"metadata": {"namespace": NS, "name": "x", "resourceVersion": "7"}, "data": {"a": "1"}}
    assert cache.owned(CONFIG_MAP, NS, "x") == live
    assert cache.all_owned(CONFIG_MAP, NS) == [live]
    assert cache.all_owned(CONFIG_MAP, "elsewhere") == []


def test_remove_gives_what_was_there() -> None:
    cache = Cache(parsers())
    cache.upsert(SUBNET, subnet("a"))
    assert isinstance(cache.remove(SUBNET, (NS, "a")), Resource)
    assert cache.remove(SUBNET, (NS, "a")) is None
    assert known(cache) == []


def test_everything_is_sorted_by_name() -> None:
    cache = Cache(parsers())
    for name in ("b", "c", "a"):
        cache.upsert(SUBNET, subnet(name))
        cache.upsert(REGION, gen.body("RegionController", name))
        cache.upsert(RACK, gen.body("RackController", name))
        cache.upsert(NODE, {"metadata": {"name": name}})
        cache.upsert(POD, {"metadata": {"namespace": NS, "name": name, "uid": name, "labels": {}}})
    assert known(cache) == ["a", "b", "c"]
    assert [r.meta.name for r in cache.specs(REGION, NS)] == ["a", "b", "c"]
    assert [r.meta.name for r in cache.specs(RACK, NS)] == ["a", "b", "c"]
    assert [n.name for n in cache.records(NODE)] == ["a", "b", "c"]
    assert [p.name for p in cache.records(POD, NS)] == ["a", "b", "c"]
    assert cache.records(POD, "elsewhere") == []


def test_status_of_a_subnet() -> None:
    cache = Cache(parsers())
    cache.upsert(SUBNET, subnet("a", racks=[]))
    assert cache.status(SUBNET, (NS, "a")) == {"racks": []}
    assert cache.status(SUBNET, (NS, "b")) == {}


def test_list_removes_what_is_gone_and_adds_what_was_missed() -> None:
    cache = Cache(parsers())
    for name in ("stays", "gone"):
        cache.upsert(SUBNET, subnet(name))
    changes = list(cache.sweep(SUBNET, NS, listed(cache, SUBNET, [subnet("stays"), subnet("missed")]), cache.mark()))
    assert [(bool(before), bool(after)) for before, after in changes] == [(True, False), (False, True)]
    assert known(cache) == ["missed", "stays"]


def test_list_of_one_namespace_leaves_others_alone() -> None:
    cache = Cache(parsers())
    body = subnet("there")
    body["metadata"]["namespace"] = "elsewhere"
    cache.upsert(SUBNET, body)
    assert list(cache.sweep(SUBNET, NS, listed(cache, SUBNET, []), cache.mark())) == []
    assert [s.meta.name for s in cache.specs(SUBNET, "elsewhere")] == ["there"]


def test_object_created_while_the_list_was_under_way_stays() -> None:
    cache = Cache(parsers())
    mark = cache.mark()
    cache.upsert(SUBNET, subnet("new"))
    assert list(cache.sweep(SUBNET, NS, listed(cache, SUBNET, []), mark)) == []
    assert known(cache) == ["new"]


def test_object_deleted_while_the_list_was_under_way_stays_away() -> None:
    cache = Cache(parsers())
    cache.upsert(SUBNET, subnet("old"))
    mark = cache.mark()
    cache.remove(SUBNET, (NS, "old"))
    assert list(cache.sweep(SUBNET, NS, listed(cache, SUBNET, [subnet("old")]), mark)) == []
    assert known(cache) == []


def test_object_changed_while_the_list_was_under_way_keeps_the_newer_state() -> None:
    cache = Cache(parsers())
    cache.upsert(SUBNET, subnet("a"))
    mark = cache.mark()
    cache.upsert(SUBNET, subnet("a", addresses=["10.10.0.2"]))
    assert list(cache.sweep(SUBNET, NS, listed(cache, SUBNET, [subnet("a")]), mark)) == []
    assert cache.status(SUBNET, (NS, "a")) == {"addresses": ["10.10.0.2"]}


def test_event_that_changed_nothing_counts_as_newer_all_the_same() -> None:
    cache = Cache(parsers())
    cache.upsert(SUBNET, subnet("a"))
    mark = cache.mark()
    cache.upsert(SUBNET, subnet("a"))
    assert list(cache.sweep(SUBNET, NS, listed(cache, SUBNET, []), mark)) == []


def test_next_list_corrects_what_an_earlier_one_had_to_leave() -> None:
    cache = Cache(parsers())
    mark = cache.mark()
    cache.upsert(SUBNET, subnet("a"))
    list(cache.sweep(SUBNET, NS, listed(cache, SUBNET, []), mark))
    assert len(list(cache.sweep(SUBNET, NS, listed(cache, SUBNET, []), cache.mark()))) == 1
    assert known(cache) == []


def test_late_event_does_not_undo_the_answer_to_our_own_write() -> None:
    cache = Cache(parsers())
    cache.upsert(SUBNET, at("9"))
    cache.upsert(SUBNET, at("11", "10.20.0.0/24"))
    assert cache.upsert(SUBNET, at("10", "10.30.0.0/24")) is None
    assert cidrs(cache) == ["10.20.0.0/24"]
    assert cache.upsert(SUBNET, at("12", "10.40.0.0/24")) is not None


@pytest.mark.parametrize(
    "newer",
    [
        pytest.param(at("3", "10.20.0.0/24", uid="b"), id="made anew"),
        pytest.param(at("3x", "10.20.0.0/24"), id="not a number"),
    ],
)
def test_states_that_cannot_be_compared_count_as_they_come(newer: gen.Manifest) -> None:
    cache = Cache(parsers())
    cache.upsert(SUBNET, at("9"))
    assert cache.upsert(SUBNET, newer) is not None
    assert cidrs(cache) == ["10.20.0.0/24"]


def test_object_that_was_removed_may_come_back_in_any_state() -> None:
    cache = Cache(parsers())
    cache.upsert(SUBNET, at("9"))
    cache.remove(SUBNET, (NS, "a"))
    assert cache.upsert(SUBNET, at("3")) is not None


def test_list_wins_over_later_versions_for_etcd_may_have_been_restored() -> None:
    cache = Cache(parsers())
    cache.upsert(SUBNET, at("900"))
    mark = cache.mark()
    # The watch begins anew and brings the state that was restored.
    assert cache.upsert(SUBNET, at("7", "10.20.0.0/24")) is None
    list(cache.sweep(SUBNET, NS, listed(cache, SUBNET, [at("7", "10.20.0.0/24")]), mark))
    assert cidrs(cache) == ["10.20.0.0/24"]
    assert cache.upsert(SUBNET, at("8", "10.30.0.0/24")) is not None
    assert cache.upsert(SUBNET, at("7", "10.20.0.0/24")) is None


def test_what_came_and_went_leaves_nothing_behind() -> None:
    cache = Cache(parsers())
    cache.upsert(SUBNET, subnet("stays"))
    for number in range(100):
        cache.upsert(SUBNET, subnet(f"passes-{number}"))
        cache.remove(SUBNET, (NS, f"passes-{number}"))
    mark = cache.mark()
    cache.upsert(NODE, {"metadata": {"name": "rack1"}})
    cache.upsert(SUBNET, subnet("newest"))
    list(cache.sweep(SUBNET, NS, listed(cache, SUBNET, [subnet("stays")]), mark))
    assert set(cache._touched) == {(NODE, ("", "rack1")), (SUBNET, (NS, "newest"))}
    assert set(cache._versions) == {(NODE, ("", "rack1")), (SUBNET, (NS, "newest")), (SUBNET, (NS, "stays"))}


def test_pod_is_kept_as_the_few_fields_that_count() -> None:
    cache = Cache(parsers())
    labels = {names.LABEL_COMPONENT: names.COMPONENT_RACK, names.LABEL_RACK_CONTROLLER: "demo"}
    metadata = {"namespace": NS, "name": "demo-rack-x", "uid": "uid-demo-rack-x", "labels": labels}
    cache.upsert(POD, {"metadata": metadata, "status": {"startTime": "now"}})
    assert cache.records(POD, NS) == [replace(gen.pod("demo-rack-x"), node="", address="", ready=False)]


def test_derived_things_are_computed_anew_only_after_a_change_of_what_they_are_made_of() -> None:
    cache = Cache(parsers())
    computed: list[int] = []

    def count() -> int:
        computed.append(len(cache.specs(SUBNET, NS)))
        return computed[-1]

    def derive() -> int:
        return cache.derive(("how many",), (SUBNET, RACK), count)

    assert (derive(), derive(), len(computed)) == (0, 0, 1)
    cache.upsert(SUBNET, subnet("a"))
    assert (derive(), derive(), len(computed)) == (1, 1, 2)
    cache.upsert(SUBNET, subnet("a", addresses=["10.10.0.2"]))
    cache.upsert(NODE, {"metadata": {"name": "rack1"}})
    assert (derive(), len(computed)) == (1, 2)
    cache.remove(SUBNET, (NS, "a"))
    assert (derive(), len(computed)) == (0, 3)


def test_lists_follow_the_newest_spec() -> None:
    cache = Cache(parsers())
    cache.upsert(SUBNET, subnet("a"))
    assert [str(s.cidr) for s in cache.specs(SUBNET, NS)] == ["10.10.0.0/24"]
    cache.upsert(SUBNET, subnet("a", "10.20.0.0/24"))
    assert [str(s.cidr) for s in cache.specs(SUBNET, NS)] == ["10.20.0.0/24"]
    for _ in range(2):
        list(cache.sweep(SUBNET, NS, listed(cache, SUBNET, []), cache.mark()))
    assert cache.specs(SUBNET, NS) == []


def test_what_was_derived_for_a_rack_controller_goes_with_it() -> None:
    cache = Cache(parsers())
    cache.upsert(RACK, gen.body("RackController", "demo"))
    cache.derive(("racks", (NS, "demo")), (RACK,), lambda: 1)
    cache.derive(("racks", (NS, "other")), (RACK,), lambda: 1)
    cache.remove(RACK, (NS, "demo"))
    assert list(cache._derived) == [("racks", (NS, "other"))]
