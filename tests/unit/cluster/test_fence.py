"""A client refuses to write when its operator does not lead, right before it would send."""

import math
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest
from kubernetes.aio import client as kubernetes

from rackrelay.cluster.client import CONFIG_MAP, POD, Client
from rackrelay.errors import NotLeading

MANIFEST = {"metadata": {"namespace": "machines", "name": "x"}}


class Api(kubernetes.ApiClient):
    """Answers everything with an empty object and keeps (method, timeout)."""

    def __init__(self) -> None:
        self.configuration = SimpleNamespace(host="https://api")
        self.sent: list[tuple[str, aiohttp.ClientTimeout]] = []

    async def update_params_for_auth(self, *_: Any, **__: Any) -> None:
        return

    async def call_api(self, method: str, *_: Any, _request_timeout: Any = None, **__: Any) -> Any:
        self.sent.append((method, _request_timeout))

        async def read() -> bytes:
            return b"{}"

        return SimpleNamespace(status=200, read=read)


def refuse() -> float:
    raise NotLeading("another leads")


WRITES: list[tuple[str, Callable[[Client], Awaitable[object]]]] = [
    ("POST", lambda client: client.create(CONFIG_MAP, MANIFEST)),
    ("PATCH", lambda client: client.apply(CONFIG_MAP, MANIFEST)),
    ("PATCH", lambda client: client.annotate(POD, "machines", "x", {"a": "b"})),
    ("PUT", lambda client: client.replace(CONFIG_MAP, MANIFEST)),
    ("DELETE", lambda client: client.delete(POD, "machines", "x")),
]


@pytest.mark.parametrize(("method", "write"), WRITES, ids=["create", "apply", "annotate", "replace", "delete"])
async def test_every_kind_of_write_is_refused(method: str, write: Callable[[Client], Awaitable[object]]) -> None:
    api = Api()
    await write(Client(api))
    assert [sent[0] for sent in api.sent] == [method]
    with pytest.raises(NotLeading):
        await write(Client(api, refuse))
    assert len(api.sent) == 1


async def test_reading_is_everybodys_right() -> None:
    api = Api()
    await Client(api, refuse).get(CONFIG_MAP, "machines", "x")
    assert [sent[0] for sent in api.sent] == ["GET"]


@pytest.mark.parametrize(("left_s", "expected"), [(1.2, 1.2), (math.inf, 5.0)])
async def test_write_is_given_up_before_another_may_lead(left_s: float, expected: float) -> None:
    api = Api()
    await Client(api, lambda: left_s).apply(CONFIG_MAP, MANIFEST)
    assert api.sent[0][1].total == expected
