"""The image is unpacked once, and one site serves all tests that leave it as they found it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.dataplane.image import unpacked_image
from tests.dataplane.site import Site, build_site


@pytest.fixture(scope="session")
def image_root() -> Iterator[Path]:
    """The data-plane image's root file system."""
    with unpacked_image() as root:
        yield root


@pytest.fixture(scope="session")
def site(image_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A running site. Tests that change it use `own_site`."""
    with build_site(image_root, tmp_path_factory.mktemp("site")) as built:
        yield built
