"""A fresh namespace for each test, on the shared API server."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.apiserver import ApiServer
from tests.api.operator.rig import Rig, open_rig


@pytest.fixture
def rig(api_server: ApiServer, tmp_path: Path) -> Iterator[Rig]:
    """A namespace with an operator that has not been started."""
    with open_rig(api_server, tmp_path) as rig:
        yield rig
