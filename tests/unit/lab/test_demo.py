"""What the demo prints, and that it ends with 1 when a step is wrong."""

import io
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

import pytest

from lab.cluster import Lab
from lab.demo import __main__ as demo
from lab.demo import product, steps
from lab.demo.report import DemoError, Report, expect, same
from lab.demo.steps import Step
from lab.errors import LabError


@dataclass
class FakeLab:
    """Answers every command alike."""

    stdout: str = ""
    stderr: str = ""
    code: int = 0
    asked: list[tuple[str, ...]] = field(default_factory=list)

    def run_in(
        self, host: str, argv: Sequence[str], check: bool = True, timeout_s: float = 0
    ) -> subprocess.CompletedProcess[str]:
        self.asked.append((host, *argv))
        return subprocess.CompletedProcess(argv, self.code, self.stdout, self.stderr)

    def kubectl(self, *arguments: str) -> str:
        return "what there is"


def report_on(lab: FakeLab) -> tuple[Report, io.StringIO]:
    out = io.StringIO()
    return Report(cast(Lab, lab), out), out


def test_a_command_that_succeeds_is_shown_with_its_answer() -> None:
    report, out = report_on(FakeLab("10.10.0.2\n10.10.0.3\n"))
    assert report.ask("m1", "dig", "+short", "name") == "10.10.0.2\n10.10.0.3"
    lines = out.getvalue().splitlines()
    assert lines[:3] == ["  m1$ dig +short name", "      10.10.0.2", "      10.10.0.3"]
    assert lines[3].startswith("      (ok, ")


def test_only_the_end_of_a_long_answer_is_shown() -> None:
    report, out = report_on(FakeLab("\n".join(str(number) for number in range(100))))
    report.ask("m1", "seq", "100")
    assert out.getvalue().split()[2:-3] == ["100", *(str(number) for number in range(94, 100))]


def test_a_command_that_fails_is_shown_and_named() -> None:
    report, out = report_on(FakeLab(stderr="curl: (7) no", code=7))
    with pytest.raises(DemoError, match=r"^curl on m1 failed: curl: \(7\) no$"):
        report.ask("m1", "curl", "http://x")
    assert "      curl: (7) no\n      (failed, " in out.getvalue()


def test_a_command_that_should_fail() -> None:
    report, out = report_on(FakeLab(stderr="no", code=7))
    assert report.ask("m1", "curl", "http://x", fails=True) == ""
    assert "(failed, " in out.getvalue()
    report, _ = report_on(FakeLab("an answer"))
    with pytest.raises(DemoError, match=r"^curl on m1 should have failed: an answer$"):
        report.ask("m1", "curl", "http://x", fails=True)


def test_waiting_says_how_long_it_took_or_that_it_never_came() -> None:
    report, out = report_on(FakeLab())
    answers = iter(["", "here"])
    assert report.wait("it came", lambda: next(answers)) == "here"
    assert out.getvalue().startswith("      it came: after ")
    with pytest.raises(DemoError, match=r"^it came: not within 0 s$"):
        report.wait("it came", lambda: None, 0)


def test_what_was_expected_is_said() -> None:
    expect(True, "never said")
    with pytest.raises(DemoError, match=r"^said$"):
        expect(False, "said")
    same(["b", "a"], ["a", "b"], "racks")
    with pytest.raises(DemoError, match=r"^racks: expected a, b, got nothing$"):
        same([], ["b", "a"], "racks")


def test_a_rack_that_stops_answering_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    report, _ = report_on(FakeLab("10.10.0.2\n10.10.0.3\n"))
    monkeypatch.setattr(steps, "lookup", lambda *arguments: [])
    with pytest.raises(DemoError, match=r"^10.10.0.2 gave no address for 10-10-0-0--24.maas-internal, or no answer"):
        steps.names(report)


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The demo finds a lab on which everything that comes before the steps went well."""
    monkeypatch.setattr(Lab, "open", FakeLab)
    for name in ("install", "apply_example", "wait_ready"):
        monkeypatch.setattr(product, name, lambda *arguments: None)
    monkeypatch.setattr(sys, "argv", ["lab.demo"])


def run_steps(monkeypatch: pytest.MonkeyPatch, *errors: Exception | None) -> int:
    """The demo's exit code when its steps end so."""

    def step(error: Exception | None) -> Step:
        def run(report: Report) -> None:
            if error:
                raise error

        return Step("name", f"a step with {error}", run)

    monkeypatch.setattr(demo, "STEPS", tuple(step(error) for error in errors))
    return demo.main()


@pytest.mark.usefixtures("installed")
def test_every_step_right_is_0(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_steps(monkeypatch, None, None) == 0
    out = capsys.readouterr().out
    assert out.count("\na step with None\n") == 2
    assert out.endswith(f"{demo.CLOSING}\n")


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("error", [DemoError("m1 reached the API server"), LabError("m1 is off")])
def test_a_wrong_step_is_1_and_the_last(
    error: Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_steps(monkeypatch, error, None) == 1
    said = capsys.readouterr()
    assert said.err == f"\nThis is wrong: {error}\n"
    assert "a step with None" not in said.out
    assert demo.CLOSING not in said.out
