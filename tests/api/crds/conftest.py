"""Access to custom resources on the shared API server."""

from collections.abc import Iterator
from typing import Any

import pytest
from kubernetes import client, config

from lab.apiserver import ApiServer
from tests.api.crds.resources import Resources


@pytest.fixture(scope="session")
def api_client(api_server: ApiServer) -> Iterator[client.ApiClient]:
    connect: Any = config.new_client_from_config
    with connect(str(api_server.kubeconfig)) as connection:
        yield connection


@pytest.fixture
def resources(api_client: client.ApiClient) -> Iterator[Resources]:
    """Nothing is left over for the next test."""
    access = Resources(client.CustomObjectsApi(api_client))
    yield access
    access.delete_all()
