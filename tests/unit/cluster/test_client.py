"""Paths of the API, and its answers in our own terms."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from rackrelay.cluster import client
from rackrelay.cluster.client import CONFIG_MAP, NODE, POD, SUBNET, Client
from rackrelay.errors import ClusterError, Conflict
from rackrelay.model.meta import Manifest


class Recorded(Client):
    """Answers each call with the next of a list of pages, or raises it, and keeps what was asked."""

    def __init__(self, *answers: Manifest | Exception) -> None:
        self.answers = list(answers)
        self.calls: list[tuple[str, str, Mapping[str, str]]] = []

    async def _call(
        self, method: str, path: str, query: Mapping[str, str] | None = None, *_: Any, **__: Any
    ) -> Manifest:
        self.calls.append((method, path, dict(query or {})))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def test_paths() -> None:
    assert CONFIG_MAP.path("machines", "x") == "/api/v1/namespaces/machines/configmaps/x"
    assert CONFIG_MAP.path("machines") == "/api/v1/namespaces/machines/configmaps"
    assert NODE.path() == "/api/v1/nodes"
    status = "/apis/rackrelay.dev/v1alpha1/namespaces/machines/subnets/a/status"
    assert SUBNET.path("machines", "a", "status") == status


async def test_list_reads_every_page() -> None:
    pages: list[Manifest] = [
        {"metadata": {"continue": "more"}, "items": [{"metadata": {"name": "a"}}]},
        {"metadata": {}, "items": [{"metadata": {"name": "b"}}]},
    ]
    recorded = Recorded(*pages)
    assert [i["metadata"]["name"] for i in await recorded.list(SUBNET, "machines")] == ["a", "b"]
    assert [query.get("continue") for _, _, query in recorded.calls] == [None, "more"]


async def test_items_of_a_list_say_what_they_are() -> None:
    """The API server leaves that out, and an object without a kind would look different from every wanted one."""
    (found,) = await Recorded({"metadata": {}, "items": [{"metadata": {"name": "a"}}]}).list(CONFIG_MAP, "machines")
    assert (found["apiVersion"], found["kind"]) == ("v1", "ConfigMap")


@pytest.mark.parametrize(("kind", "selected"), [(POD, True), (CONFIG_MAP, True), (SUBNET, False), (NODE, False)])
async def test_kinds_that_others_use_too_are_listed_by_label(kind: client.Kind, selected: bool) -> None:
    recorded = Recorded({"metadata": {}, "items": []})
    await recorded.list(kind, "machines")
    assert ("labelSelector" in recorded.calls[0][2]) is selected


async def test_get_of_what_is_not_there() -> None:
    assert await Recorded(ClusterError("gone", 404)).get(CONFIG_MAP, "machines", "x") is None
    with pytest.raises(ClusterError):
        await Recorded(ClusterError("forbidden", 403)).get(CONFIG_MAP, "machines", "x")


async def test_delete_of_what_is_gone_already_is_no_error() -> None:
    await Recorded(ClusterError("gone", 404)).delete(CONFIG_MAP, "machines", "x")
    with pytest.raises(ClusterError):
        await Recorded(ClusterError("forbidden", 403)).delete(CONFIG_MAP, "machines", "x")


async def test_create_of_what_exists() -> None:
    manifest = {"metadata": {"namespace": "machines", "name": "x"}}
    assert await Recorded(Conflict("exists")).create(CONFIG_MAP, manifest) is None


async def test_apply_names_our_field_manager_and_wins() -> None:
    recorded = Recorded({})
    await recorded.apply(SUBNET, {"metadata": {"namespace": "machines", "name": "a"}}, "status")
    ((method, path, query),) = recorded.calls
    assert (method, path.rsplit("/", 1)[1]) == ("PATCH", "status")
    assert query == {"fieldManager": "rackrelay", "force": "true"}


def answer(status: int, body: bytes) -> Manifest:
    return client._answer("GET", "/x", status, body)


def test_good_answer_is_an_object() -> None:
    assert answer(201, b'{"a": 1}') == {"a": 1}


def test_refusal_has_the_api_servers_words_and_status() -> None:
    with pytest.raises(ClusterError, match="GET /x: HTTP 403: pods is forbidden") as refused:
        answer(403, json.dumps({"message": "pods is forbidden"}).encode())
    assert refused.value.status == 403


@pytest.mark.parametrize("body", [b"", b"upstream connect error", b"[]", b'{"other": 1}', b"\xff\xfe"])
def test_refusal_by_something_else_is_an_error_too(body: bytes) -> None:
    with pytest.raises(ClusterError, match="HTTP 502"):
        answer(502, body)


def test_conflict_is_an_error_of_its_own() -> None:
    with pytest.raises(Conflict):
        answer(409, json.dumps({"message": "the object has been modified"}).encode())
