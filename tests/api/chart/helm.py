"""Runs the lab's own helm on the chart of this repository."""

import subprocess
from pathlib import Path
from typing import Any

import yaml

from lab.binaries import find_binary
from lab.paths import REPOSITORY

CHART = REPOSITORY / "charts" / "rackrelay"
Manifest = dict[str, Any]


def run_helm(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """The finished command, whether it succeeded or not."""
    return subprocess.run([find_binary("helm"), *arguments], capture_output=True, text=True, check=False, timeout=60)


def render(*arguments: str | Path, chart: Path = CHART) -> str:
    """What `helm template` prints for a release `rackrelay` in a namespace of that name."""
    done = run_helm("template", "rackrelay", chart, "--namespace", "rackrelay", *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def load(text: str) -> list[Manifest]:
    """The objects of a rendered chart."""
    return [document for document in yaml.safe_load_all(text) if document]


def find(objects: list[Manifest], kind: str) -> list[Manifest]:
    """The objects of one kind."""
    return [found for found in objects if found["kind"] == kind]
