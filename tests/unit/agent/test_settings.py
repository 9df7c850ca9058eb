"""The agent's environment and agent.json."""

import json
from ipaddress import ip_network

import pytest

from rackrelay.agent.settings import NodeValues, read_node_values, read_ordinal
from rackrelay.protocol.agent_config import parse_agent_config

AGENT_CONFIG = {
    "kind": "rack",
    "domain": "maas-internal",
    "ttlSeconds": 15,
    "daemons": ["named"],
    "dnsPort": 53,
    "regions": ["10.96.0.10"],
    "httpPort": 5240,
}


def test_environment_gives_the_nodes_values() -> None:
    environ = {"NODE_NAME": "rack-1.example", "NODE_IP": "fd00::1", "POD_NAME": "demo-rack-x"}
    assert read_node_values(environ) == NodeValues("rack-1.example", "fd00::1", "demo-rack-x")


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"NODE_NAME": "rack1"},
        {"NODE_NAME": "rack1", "NODE_IP": "x"},
        {"NODE_NAME": "rack1; }", "NODE_IP": "10.0.0.1"},
        {"NODE_NAME": "rack 1", "NODE_IP": "10.0.0.1"},
        {"NODE_NAME": "räck", "NODE_IP": "10.0.0.1"},
    ],
)
def test_values_that_cannot_stand_in_a_file_are_refused(environ: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"NODE_NAME|does not appear"):
        read_node_values(environ)


@pytest.mark.parametrize("key", sorted(AGENT_CONFIG))
def test_every_key_of_agent_json_is_needed(key: str) -> None:
    parse_agent_config(json.dumps(AGENT_CONFIG))
    with pytest.raises(KeyError, match=key):
        parse_agent_config(json.dumps({k: v for k, v in AGENT_CONFIG.items() if k != key}))


def test_heartbeats_and_subnets_are_read_and_may_be_missing() -> None:
    config = parse_agent_config(json.dumps(AGENT_CONFIG))
    assert (config.heartbeats, config.heartbeat_s, config.misses, config.subnets) == ((), 0.25, 3, ())
    more = {
        "heartbeats": [["fd00:0::1", 5251]],
        "heartbeatMilliseconds": 100,
        "heartbeatMisses": 5,
        "subnets": ["10.0.0.0/24", "fd00::/64"],
    }
    config = parse_agent_config(json.dumps({**AGENT_CONFIG, **more}))
    assert (config.heartbeats, config.heartbeat_s, config.misses) == ((("fd00::1", 5251),), 0.1, 5)
    assert config.subnets == (ip_network("10.0.0.0/24"), ip_network("fd00::/64"))


def test_replica_knows_its_ordinal_by_its_pods_name() -> None:
    assert [read_ordinal(name) for name in ("demo-region-0", "my-2-region-20")] == [0, 20]
    for name in ("", "demo", "demo-rack-x2x4z", "demo-region-21"):
        with pytest.raises(ValueError, match=r"invalid literal|no heartbeat port"):
            read_ordinal(name)
