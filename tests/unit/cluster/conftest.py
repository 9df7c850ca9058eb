"""Two operators, `a` and `b`, and the Lease that both want."""

import pytest

from rackrelay.cluster.lease import Lease
from tests.fakes.lease_server import FakeClock, FakeLeaseServer


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def server() -> FakeLeaseServer:
    return FakeLeaseServer()


@pytest.fixture
def a(server: FakeLeaseServer, clock: FakeClock) -> Lease:
    return Lease(server, "rackrelay", "rackrelay", "a", clock=clock)


@pytest.fixture
def b(server: FakeLeaseServer, clock: FakeClock) -> Lease:
    return Lease(server, "rackrelay", "rackrelay", "b", clock=clock)
