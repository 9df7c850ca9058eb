"""How kopf is set up: it watches, and does nothing else."""

import kopf
from kopf._cogs.structs.bodies import Body
from kopf._cogs.structs.references import Resource

from rackrelay.cluster.client import PAGE, POD, SELECTORS, SUBNET, Kind
from rackrelay.handlers import _selector, build_settings


def resource(kind: Kind) -> Resource:
    return Resource(*_selector(kind))


def test_server_sends_our_objects_alone_where_others_have_some_too() -> None:
    selectors = build_settings().watching.label_selectors
    assert selectors.collect(resource(POD)) == [SELECTORS[POD]]
    assert selectors.collect(resource(SUBNET)) == []


def test_objects_are_neither_copied_nor_written_to() -> None:
    settings = build_settings()
    body = Body({"metadata": {"name": "x"}, "spec": {"much": "text"}})
    assert settings.persistence.diffbase_storage.build(body=body) == {}
    assert settings.persistence.diffbase_storage.fetch(body=body) is None
    patch = kopf.Patch({})
    settings.persistence.diffbase_storage.store(body=body, patch=patch, essence={})
    settings.persistence.progress_storage.touch(body=body, patch=patch, value="now")
    assert not patch
    assert not settings.posting.enabled


def test_lists_come_in_pages_and_their_objects_are_soon_forgotten() -> None:
    settings = build_settings()
    assert settings.watching.chunk_size == PAGE
    assert settings.queueing.idle_timeout < 1
