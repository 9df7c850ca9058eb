"""A Context whose API server is a dictionary."""

import socket
from collections.abc import AsyncIterator, Iterator

import aiohttp
import pytest

from rackrelay import names
from rackrelay.cluster.cache import Cache
from rackrelay.controllers.health.rack_health import RackHealth
from rackrelay.controllers.kinds import KINDS, parsers
from rackrelay.controllers.publish import repairs
from rackrelay.controllers.queue import Queue
from rackrelay.process.settings import Settings
from tests import gen
from tests.fakes.api import FakeClient
from tests.unit.controllers.publish.zone_lab import Lab
from tests.unit.controllers.site import Site, never

SETTINGS = Settings("rackrelay/dataplane:test", (gen.NAMESPACE,))


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    """An operator that has seen nothing yet."""
    async with aiohttp.ClientSession() as agents:
        yield Site(
            settings=SETTINGS,
            client=FakeClient(),
            cache=Cache(parsers()),
            queue=Queue(never),
            health=RackHealth(),
            agents=agents,
            kinds=KINDS,
        )


@pytest.fixture
def unused_port() -> int:
    """A port that is free on loopback for UDP and TCP."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind(("127.54.0.1", 0))
        return int(udp.getsockname()[1])


@pytest.fixture
def lab(site: Site, monkeypatch: pytest.MonkeyPatch, unused_port: int) -> Iterator[Lab]:
    """A region without pods and racks, whose name servers are fakes."""
    monkeypatch.setattr(names, "PORT_DNS", unused_port)
    # A busy machine is no server that hangs.
    monkeypatch.setattr(repairs, "PATIENCE_S", 5.0)
    with Lab(site, unused_port) as lab:
        yield lab
