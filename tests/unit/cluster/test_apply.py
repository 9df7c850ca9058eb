"""What is written, and what is left alone because the API server has it already."""

from typing import Any

import pytest

from rackrelay import names
from rackrelay.cluster.apply import apply_objects, delete_surplus, differs, stamp
from rackrelay.cluster.cache import Cache
from rackrelay.cluster.client import CONFIG_MAP, SERVICE
from rackrelay.controllers.kinds import parsers
from tests import gen
from tests.fakes.api import FakeClient


@pytest.mark.parametrize(
    ("wanted", "live", "expected"),
    [
        pytest.param({"a": 1}, {"a": 1}, False, id="equal"),
        pytest.param({"a": 1}, {"a": 1, "b": 2}, False, id="defaults and others' fields do not count"),
        pytest.param({"a": {"b": 1}}, {"a": {"b": 1, "c": 2}}, False, id="nor do they deeper down"),
        pytest.param({"a": 1}, {"a": 2}, True, id="another value"),
        pytest.param({"a": 1}, {}, True, id="missing"),
        pytest.param({"a": {"b": 1}}, {"a": None}, True, id="no object where one is wanted"),
        pytest.param([{"a": 1}], [{"a": 1, "b": 2}], False, id="defaults inside list items"),
        pytest.param([1, 2], [1, 2, 3], True, id="a longer list"),
        pytest.param([1, 2], [2, 1], True, id="another order"),
        pytest.param([1], None, True, id="no list"),
        pytest.param({"a": 1}, None, True, id="no object at all"),
        pytest.param({"a": False}, {}, True, id="false is not the same as absent"),
        pytest.param({"a": (1, 2)}, {"a": [1, 2]}, False, id="tuple and list"),
        pytest.param({"selector": {"a": "1"}}, {"selector": {"a": "1", "b": "2"}}, True, id="selectors are one value"),
        pytest.param({"a": ""}, {}, False, id="the API server drops empty text"),
        pytest.param({"a": []}, {}, False, id="and empty lists"),
        pytest.param(
            {"resources": {"requests": {"cpu": 1}}}, {"resources": {"requests": {"cpu": "1"}}}, False, id="cpu"
        ),
        pytest.param(
            {"resources": {"limits": {"memory": "1024Mi", "cpu": "1000m"}}},
            {"resources": {"limits": {"memory": "1Gi", "cpu": "1"}}},
            False,
            id="quantities as the API server spells them",
        ),
        pytest.param(
            {"resources": {"limits": {"memory": "1Gi"}}},
            {"resources": {"limits": {"memory": "1G"}}},
            True,
            id="quantity",
        ),
        pytest.param(
            {"data": {"cpu": "1000m"}}, {"data": {"cpu": "1"}}, True, id="not a quantity, only looks like one"
        ),
    ],
)
def test_differs(wanted: Any, live: Any, expected: bool) -> None:
    assert differs(wanted, live) is expected


def config_map(name: str = "x", owner: str = "", **data: str) -> gen.Manifest:
    references = [{"uid": owner}] if owner else []
    metadata = {"namespace": gen.NAMESPACE, "name": name, "ownerReferences": references}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def test_stamp_follows_the_content() -> None:
    first, again, other = stamp(config_map(a="1")), stamp(config_map(a="1")), stamp(config_map(a="2"))
    digest = first["metadata"]["annotations"][names.ANNOTATION_APPLIED]
    assert first == again
    assert other["metadata"]["annotations"][names.ANNOTATION_APPLIED] != digest


def test_stamp_leaves_the_manifest_and_its_annotations_as_they_are() -> None:
    manifest = config_map(a="1")
    manifest["metadata"]["annotations"] = {"mine": "stays"}
    stamped = stamp(manifest)
    assert manifest["metadata"]["annotations"] == {"mine": "stays"}
    assert stamped["metadata"]["annotations"].keys() == {"mine", names.ANNOTATION_APPLIED}


async def test_object_is_written_once() -> None:
    client, cache = FakeClient(), Cache(parsers())
    assert await apply_objects(client, cache, [config_map(a="1")]) == 1
    assert await apply_objects(client, cache, [config_map(a="1")]) == 0
    assert await apply_objects(client, cache, [config_map(a="2")]) == 1
    assert client.writes == ["apply ConfigMap x"] * 2


async def test_field_that_is_no_longer_wanted_is_written_away() -> None:
    client, cache = FakeClient(), Cache(parsers())
    await apply_objects(client, cache, [config_map(a="1", b="2")])
    assert await apply_objects(client, cache, [config_map(a="1")]) == 1


async def test_edit_by_somebody_else_is_put_back() -> None:
    client, cache = FakeClient(), Cache(parsers())
    await apply_objects(client, cache, [config_map(a="1")])
    (live,) = client.objects.values()
    cache.upsert(CONFIG_MAP, {**live, "data": {"a": "edited"}})
    assert await apply_objects(client, cache, [config_map(a="1")]) == 1


async def test_surplus_of_this_owner_alone_is_deleted() -> None:
    client, cache = FakeClient(), Cache(parsers())
    mine, old, others = config_map("mine", "uid-1"), config_map("old", "uid-1"), config_map("others", "uid-2")
    for manifest in (mine, old, others, config_map("nobodys")):
        cache.upsert(CONFIG_MAP, client.put(CONFIG_MAP, manifest))
    cache.upsert(SERVICE, client.put(SERVICE, {**config_map("replica-3", "uid-1"), "kind": "Service"}))
    await delete_surplus(client, cache, "uid-1", [mine])
    assert sorted(client.writes) == ["delete ConfigMap old", "delete Service replica-3"]
    assert cache.owned(CONFIG_MAP, gen.NAMESPACE, "old") is None
