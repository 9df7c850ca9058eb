"""Status: written when something changed, with an Event for each turn."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from rackrelay.cluster.cache import Cache
from rackrelay.cluster.client import SUBNET
from rackrelay.cluster.status import rfc3339, write_status
from rackrelay.controllers.kinds import parsers
from rackrelay.errors import ClusterError
from rackrelay.model import condition
from rackrelay.model.condition import Condition
from tests import gen
from tests.fakes.api import FakeClient

META = gen.meta("a", generation=3)
READY = condition.ready("done")


def make() -> tuple[FakeClient, Cache]:
    client, cache = FakeClient(), Cache(parsers())
    cache.upsert(SUBNET, client.put(SUBNET, gen.body("Subnet", "a", {"cidr": "10.10.0.0/24"}, generation=3)))
    return client, cache


def events(client: FakeClient) -> list[gen.Manifest]:
    return [o for (kind, _, _), o in client.objects.items() if kind == "Event"]


async def test_status_is_written_once() -> None:
    client, cache = make()
    assert await write_status(client, cache, SUBNET, META, ({"addresses": ["10.10.0.2"]}, READY))
    assert not await write_status(client, cache, SUBNET, META, ({"addresses": ["10.10.0.2"]}, READY))
    written = client.objects[("Subnet", gen.NAMESPACE, "a")]["status"]
    assert written["observedGeneration"] == 3
    assert written["addresses"] == ["10.10.0.2"]
    assert [c["type"] for c in written["conditions"]] == ["Ready"]


async def test_new_generation_is_written_even_if_nothing_else_changed() -> None:
    client, cache = make()
    await write_status(client, cache, SUBNET, META, ({}, READY))
    assert await write_status(client, cache, SUBNET, gen.meta("a", generation=4), ({}, READY))


async def test_event_for_each_turn_and_none_for_news_of_numbers() -> None:
    client, cache = make()
    await write_status(client, cache, SUBNET, META, ({}, READY))
    await write_status(client, cache, SUBNET, META, ({"addresses": ["10.10.0.2"]}, READY))
    bad = Condition("Ready", False, "DuplicateCIDR", "delete one of the two", alarming=True)
    await write_status(client, cache, SUBNET, META, ({}, [bad]))
    assert [(e["type"], e["reason"]) for e in events(client)] == [("Normal", "Applied"), ("Warning", "DuplicateCIDR")]
    (_, warning) = events(client)
    assert warning["message"] == "Ready=False: delete one of the two"
    assert warning["involvedObject"]["uid"] == META.uid


async def test_reconciling_alone_is_no_event() -> None:
    client, cache = make()
    await write_status(client, cache, SUBNET, META, ({}, condition.waiting("Starting", "soon")))
    assert [e["reason"] for e in events(client)] == ["Starting"]


async def test_turn_whose_status_could_not_be_written_has_one_event_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client, cache = make()

    async def fail(*arguments: Any) -> gen.Manifest:
        raise ClusterError("gone")

    with monkeypatch.context() as patch:
        patch.setattr(client, "apply", fail)
        with pytest.raises(ClusterError):
            await write_status(client, cache, SUBNET, META, ({}, READY))
    (posted,) = events(client)
    posted["metadata"]["seen"] = True
    # A moment later its message may say more.
    again = [replace(c, message="done now") for c in READY]
    assert await write_status(client, cache, SUBNET, META, ({}, again))
    assert events(client) == [posted]


async def test_event_that_may_not_be_written_holds_up_no_status(monkeypatch: pytest.MonkeyPatch) -> None:
    client, cache = make()

    async def refuse(*arguments: Any) -> None:
        raise ClusterError("forbidden", 403)

    monkeypatch.setattr(client, "create", refuse)
    assert await write_status(client, cache, SUBNET, META, ({}, READY))
    assert client.objects[("Subnet", gen.NAMESPACE, "a")]["status"]["conditions"]


def test_time_is_written_in_utc_and_whole_seconds() -> None:
    moment = datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC)
    assert rfc3339(moment) == "2026-01-02T03:04:05Z"
    assert rfc3339(moment.astimezone(timezone(timedelta(hours=5)))) == "2026-01-02T03:04:05Z"
