"""The data-plane image holds every module that its programs import, and the operator's own are not among them."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the Dockerfile copies into the image, as a folder of its own."""
    target = tmp_path_factory.mktemp("source")
    stage = (REPOSITORY / "Dockerfile").read_text().rpartition("FROM daemons AS dataplane\n")[2]
    for what, where in re.findall(r"^COPY (operator/\S+) /opt/rackrelay/source/(\S+)$", stage, re.MULTILINE):
        if what.endswith("/"):
            shutil.copytree(REPOSITORY / what, target / where, ignore=shutil.ignore_patterns("__pycache__"))
            continue
        (target / where).mkdir(parents=True, exist_ok=True)
        for file in REPOSITORY.glob(what):
            shutil.copy(file, target / where)
    return target


@pytest.mark.parametrize("program", ["agent", "metadata"])
def test_program_finds_what_it_imports(source: Path, program: str) -> None:
    code = f"import sys, rackrelay.{program}.__main__\nprint(*(m for m in sys.modules if m.startswith('rackrelay.')))"
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], env={"PYTHONPATH": str(source)}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    for package in ("agents", "cluster", "controllers", "handlers", "manifests", "process", "render"):
        assert f"rackrelay.{package}" not in done.stdout
