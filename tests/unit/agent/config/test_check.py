"""Running checkers: words, silence, hanging, missing."""

from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from rackrelay.agent.config import check
from rackrelay.daemons.daemon import Daemon
from rackrelay.daemons.nginx import NGINX


@dataclass(frozen=True)
class Checker:
    """A daemon with a script in the place of its checker."""

    file: Path

    @property
    def daemon(self) -> Daemon:
        return replace(NGINX, checker=("sh", str(self.file)))

    def __call__(self, text: str) -> None:
        self.file.write_text(text)


@pytest.fixture
def script(tmp_path: Path) -> Checker:
    """Writes the script that stands in for nginx's checker."""
    return Checker(tmp_path / "checker")


async def test_accepting_checker_says_nothing(script: Checker, tmp_path: Path) -> None:
    script('echo "warning about $1"\n')
    assert await check.check_file(script.daemon, tmp_path / "f") is None


async def test_refusal_is_in_the_checkers_words_without_its_echo(script: Checker, tmp_path: Path) -> None:
    script('echo "1| Processing: ok"; echo "bad line 7" >&2; exit 1\n')
    assert await check.check_file(script.daemon, tmp_path / "f") == "bad line 7"


async def test_silent_refusal_and_endless_words_are_still_a_message(script: Checker, tmp_path: Path) -> None:
    script("exit 3\n")
    assert "status 3" in str(await check.check_file(script.daemon, tmp_path / "f"))
    script("yes word | head -c 100000; exit 1\n")
    assert len(str(await check.check_file(script.daemon, tmp_path / "f"))) <= 1000


async def test_hanging_checker_is_given_up(script: Checker, tmp_path: Path) -> None:
    script("exec sleep 60\n")
    assert "did not finish" in str(await check.check_file(script.daemon, tmp_path / "f", timeout_s=0.2))


async def test_missing_checker_is_reported(tmp_path: Path) -> None:
    without = replace(NGINX, checker=("/nonexistent/checker",))
    assert "cannot be run" in str(await check.check_file(without, tmp_path / "f"))
