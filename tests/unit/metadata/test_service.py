"""The metadata service's routes."""

import pytest
from aiohttp.test_utils import TestClient, TestServer

from rackrelay.metadata.service import build_app


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/MAAS/metadata/", 200),
        ("/MAAS/metadata", 200),
        ("/MAAS/metadata/?x=y", 200),
        ("/MAAS/metadata/latest/", 404),
        ("/MAAS/metadata/2012-03-01/meta-data/", 404),
        ("/MAAS/", 404),
        ("/", 404),
    ],
)
async def test_paths(path: str, status: int) -> None:
    async with TestClient(TestServer(build_app())) as client:
        answer = await client.get(path)
        assert answer.status == status


async def test_index_is_what_cloud_init_reads() -> None:
    async with TestClient(TestServer(build_app())) as client:
        answer = await client.get("/MAAS/metadata/")
        assert answer.content_type == "text/plain"
        assert "2012-03-01" in (await answer.text()).splitlines()
