"""A fresh namespace for each test, on the shared API server."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.apiserver import ApiServer
from tests.api.operator.rig import Rig, open_rig


@pytest.fixture(scope="module")
def mortal_server(api_server: ApiServer) -> Iterator[ApiServer]:
    """The shared API server for tests that kill it: whatever becomes of them, it answers again afterwards."""
    yield api_server
    if api_server.pid is None:
        api_server.start()


@pytest.fixture
def rig(api_server: ApiServer, tmp_path: Path) -> Iterator[Rig]:
    """A namespace with an operator that has not been started."""
    with open_rig(api_server, tmp_path) as rig:
        yield rig
