"""The command line says what it can do, and what went wrong."""

from pathlib import Path

import pytest

from lab import site
from lab.cli import main, parse

MAKING = ("prepare", "build", "up", "down", "images", "load")
LOOKING = ("status", "exec", "shell", "kubectl", "helm")
BREAKING = ("power-off", "power-on", "reset", "cut", "heal", "loss", "stop-api", "start-api")


@pytest.mark.parametrize("command", [*MAKING, *LOOKING, *BREAKING])
def test_every_command_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main([command, "--help"])
    assert end.value.code == 0
    assert "--name" in capsys.readouterr().out


def test_a_lab_that_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(site, "state_dir", lambda name: tmp_path / name)
    assert main(["exec", "--name", "nolab", "m1", "--", "true"]) == 1
    assert capsys.readouterr().err == "lab: there is no lab 'nolab': run `python3 -m lab up`\n"


def test_a_bad_name_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "--name", "../etc"]) == 1
    assert "a lab's name is" in capsys.readouterr().err


def test_everything_after_the_dashes_belongs_to_the_command() -> None:
    arguments = parse(["exec", "m1", "--", "dig", "--help"])
    assert (arguments.host, arguments.command) == ("m1", ["dig", "--help"])
    arguments = parse(["kubectl", "--name", "other", "--", "exec", "pod", "--name", "--", "sh"])
    assert (arguments.name, arguments.command) == ("other", ["exec", "pod", "--name", "--", "sh"])
    assert parse(["kubectl", "get", "pods"]).command == ["get", "pods"]


def test_dashes_where_nothing_can_follow() -> None:
    with pytest.raises(SystemExit):
        parse(["status", "--", "rm"])


def test_the_labs_name_comes_from_an_option_or_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RACKRELAY_LAB", "other")
    assert parse(["status"]).name == "other"
    assert parse(["--name", "mine", "status"]).name == "mine"
    assert parse(["status", "--name", "mine"]).name == "mine"
