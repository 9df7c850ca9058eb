"""A real API server with rackrelay's resource definitions, shared by the tests of this folder."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.apiserver import ApiServer

CRDS = Path(__file__).parents[2] / "crds"


@pytest.fixture(scope="session")
def api_server() -> Iterator[ApiServer]:
    """Tests that fill their API server start one of their own; those that kill it use `mortal_server`."""
    with ApiServer() as server:
        server.kubectl("apply", "-f", str(CRDS))
        server.kubectl("wait", "--for=condition=Established", "--timeout=30s", "-f", str(CRDS))
        yield server
