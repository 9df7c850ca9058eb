"""The operator's process at its end."""

import asyncio
import logging

import pytest

from rackrelay.__main__ import ignore_cut_off_generators


@pytest.mark.parametrize(("context", "told"), [({"asyncgen": None}, False), ({"task": None}, True)])
async def test_generators_that_are_cut_off_say_nothing_and_everything_else_does(
    context: dict[str, None], told: bool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    ignore_cut_off_generators(asyncio.get_running_loop(), {"message": "an error occurred", **context})
    assert ("an error occurred" in caplog.text) is told
