"""Running checkers: words, silence, hanging, missing."""

from collections.abc import Callable
from pathlib import Path

import pytest

from rackrelay.agent.config import check


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], object]:
    """Writes the script that stands in for nginx's checker."""
    file = tmp_path / "checker"
    monkeypatch.setitem(check.COMMANDS, "nginx", ("sh", str(file)))
    return file.write_text


async def test_accepting_checker_says_nothing(script: Callable[[str], object], tmp_path: Path) -> None:
    script('echo "warning about $1"\n')
    assert await check.check_file("nginx", tmp_path / "f") is None


async def test_refusal_is_in_the_checkers_words_without_its_echo(
    script: Callable[[str], object], tmp_path: Path
) -> None:
    script('echo "1| Processing: ok"; echo "bad line 7" >&2; exit 1\n')
    assert await check.check_file("nginx", tmp_path / "f") == "bad line 7"


async def test_silent_refusal_and_endless_words_are_still_a_message(
    script: Callable[[str], object], tmp_path: Path
) -> None:
    script("exit 3\n")
    assert "status 3" in str(await check.check_file("nginx", tmp_path / "f"))
    script("yes word | head -c 100000; exit 1\n")
    assert len(str(await check.check_file("nginx", tmp_path / "f"))) <= 1000


async def test_hanging_checker_is_given_up(script: Callable[[str], object], tmp_path: Path) -> None:
    script("exec sleep 60\n")
    assert "did not finish" in str(await check.check_file("nginx", tmp_path / "f", timeout_s=0.2))


async def test_missing_checker_is_reported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(check.COMMANDS, "nginx", ("/nonexistent/checker",))
    assert "cannot be run" in str(await check.check_file("nginx", tmp_path / "f"))
