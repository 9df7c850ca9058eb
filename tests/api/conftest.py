"""A real API server with rackrelay's resource definitions, shared by the tests of this folder."""

from collections.abc import Iterator

import pytest

from lab.apiserver import ApiServer
from tests.api.operator.cluster import install_definitions


@pytest.fixture(scope="session")
def api_server() -> Iterator[ApiServer]:
    """Tests that fill their API server start one of their own; those that kill it use `mortal_server`."""
    with ApiServer() as server:
        install_definitions(server)
        yield server
