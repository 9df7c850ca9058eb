"""From which socket peers are asked, on this machine's loopback."""

from dataclasses import replace
from ipaddress import ip_network

import pytest

from rackrelay.agent.checks import peering
from rackrelay.agent.checks.addresses import NodeAddress
from rackrelay.agent.checks.peering import Peering
from rackrelay.protocol.agent_config import parse_agent_config
from tests.unit.agent.test_loops import CONFIG

NET = ip_network("127.0.0.0/8")
AGENT_CONFIG = replace(parse_agent_config(CONFIG["agent.json"]), subnets=(NET,))
SOURCE = NodeAddress("lo", "127.0.0.1", 8, carrier=True, index=1)


async def test_link_that_was_made_anew_gets_a_new_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    async def list_nobody(*_args: object) -> list[str]:
        return []

    monkeypatch.setattr(peering, "list_addresses", list_nobody)
    peers = Peering(lambda: 0.0)
    voices = []
    for index in (1, 1, 7):
        await peers.list_peers(AGENT_CONFIG, "127.0.0.1", (replace(SOURCE, index=index),))
        voices.append(peers._sockets[NET])
    peers.close()
    assert voices[0] is voices[1]
    assert voices[1] is not voices[2]
