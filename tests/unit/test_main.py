"""The operator's process at its end."""

import asyncio
import logging

import pytest

from rackrelay import __main__ as module
from rackrelay.__main__ import ignore_cut_off_generators
from rackrelay.errors import ClusterError, StoreSetBack
from rackrelay.process.settings import Settings


@pytest.mark.parametrize(("context", "told"), [({"asyncgen": None}, False), ({"task": None}, True)])
async def test_generators_that_are_cut_off_say_nothing_and_everything_else_does(
    context: dict[str, None], told: bool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    ignore_cut_off_generators(asyncio.get_running_loop(), {"message": "an error occurred", **context})
    assert ("an error occurred" in caplog.text) is told


async def fail_in_a_part(_settings: Settings) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(fail_at_once(StoreSetBack("set back")))


async def fail_at_once(error: Exception) -> None:
    raise error


async def cannot_begin(_settings: Settings) -> None:
    await fail_at_once(ClusterError("no cluster"))


@pytest.mark.parametrize(("run", "words"), [(fail_in_a_part, "set back"), (cannot_begin, "no cluster")])
def test_errors_of_ours_are_one_line_wherever_they_come_from(
    run: object, words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(module, "run", run)
    monkeypatch.setattr(logging, "basicConfig", lambda **_: None)
    monkeypatch.setattr(module, "parse_settings", lambda _: Settings("image", ("machines",)))
    assert module.main() == 1
    assert capsys.readouterr().err == f"rackrelay: {words}\n"
