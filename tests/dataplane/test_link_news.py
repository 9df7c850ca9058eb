"""The kernel's own word that a link or an address changed."""

from collections.abc import Callable, Iterator

import pytest

from rackrelay.agent.checks.link_news import LinkNews
from tests.dataplane.netns import Namespace, connect, give, namespaces

pytestmark = pytest.mark.dataplane

# Far more than the kernel needs: only news ends the wait before.
LONG_S = 30.0


@pytest.fixture(scope="module")
def place() -> Iterator[Namespace]:
    with namespaces("here", "there") as made:
        # An address that settles for a second would be news by itself.
        made["here"].sysctl("net.ipv6.conf.default.accept_dad", "0")
        connect(made["here"], "prov0", made["there"], "prov0")
        yield made["here"]


CHANGES: dict[str, Callable[[Namespace], None]] = {
    "IPv4 address": lambda here: give(here, "prov0", "10.10.0.2/24"),
    "IPv6 address": lambda here: give(here, "prov0", "fd00:10::2/64"),
    "link": lambda here: here.ip("link", "set", "prov0", "down"),
}


@pytest.mark.parametrize("what", CHANGES)
async def test_change_ends_the_wait(place: Namespace, what: str) -> None:
    news = LinkNews()
    try:
        with place.inside():
            assert await news.wait(LONG_S), "nothing was asked yet"
        while await news.wait(0.5):
            pass
        CHANGES[what](place)
        assert await news.wait(LONG_S)
    finally:
        news.close()
