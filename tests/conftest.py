"""What all tests share: one flag that rewrites golden files, and which of them may run side by side."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

# How long an example takes says more about the machine than about the code.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write golden files anew instead of comparing")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.get_closest_marker("last") is not None)


class TwoSides(LoadScopeScheduling):  # type: ignore[misc] # xdist has no types
    """Of two workers one runs what needs the lab and the other the rest: each mostly waits for daemons."""

    def _split_scope(self, nodeid: str) -> str:
        # The largest comes first, so that one worker has these and then the lab, and the other all between.
        return {"unit": "quick", "golden": "quick", "e2e": "lab"}.get(nodeid.split("/")[1], "daemons")


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> TwoSides:
    return TwoSides(config, log)


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[Path, str], None]:
    """Compares a text with a golden file, or writes the file with --update-golden."""

    def check(file: Path, text: str) -> None:
        if request.config.getoption("--update-golden"):
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        assert file.exists(), f"{file} is missing: run pytest with --update-golden and read what it wrote"
        assert text == file.read_text()

    return check
