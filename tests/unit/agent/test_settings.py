"""The agent's environment and agent.json."""

import json

import pytest

from rackrelay.agent.settings import NodeValues, parse_duties, read_node_values

DUTIES = {
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


@pytest.mark.parametrize("key", sorted(DUTIES))
def test_every_key_of_agent_json_is_needed(key: str) -> None:
    parse_duties(json.dumps(DUTIES))
    with pytest.raises(KeyError, match=key):
        parse_duties(json.dumps({k: v for k, v in DUTIES.items() if k != key}))
