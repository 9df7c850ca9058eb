"""What README and docs tell a new user to type fits what the examples say."""

import re
import subprocess

import pytest
import yaml

from lab.paths import REPOSITORY
from rackrelay.model.meta import Manifest

GUIDES = ("README.md", "docs/install.md", "charts/rackrelay/templates/NOTES.txt", "examples/rack.yaml")


def example_rack() -> Manifest:
    found: Manifest = yaml.safe_load((REPOSITORY / "examples/rack.yaml").read_text())
    return found


@pytest.mark.parametrize("guide", GUIDES)
def test_nodes_are_given_the_label_that_the_example_selects(guide: str) -> None:
    # What the demo prints of itself is indented.
    given = re.findall(r"^(?:# +)?kubectl label node \S+ (\S+)=(\S+)", (REPOSITORY / guide).read_text(), re.MULTILINE)
    assert [dict([pair]) for pair in given] == [example_rack()["spec"]["pods"]["nodeSelector"]]


@pytest.mark.parametrize("guide", ["README.md", "docs/install.md"])
def test_the_operators_namespace_is_restricted_before_anything_is_in_it(guide: str) -> None:
    text = (REPOSITORY / guide).read_text()
    label = "kubectl label namespace rackrelay pod-security.kubernetes.io/enforce=restricted"
    assert 0 < text.index(label) < text.index("helm install rackrelay")


@pytest.mark.parametrize("base", ["debian@sha256:" + 64 * "1", ""])
def test_images_are_built_from_the_base_that_make_is_given(base: str) -> None:
    command = ["make", "--dry-run", "--directory", str(REPOSITORY), "images", "ENGINE=engine", f"BASE={base}"]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert "--target dataplane" in printed
    assert printed.count(f"--build-arg BASE={base} ") == (2 if base else 0)
