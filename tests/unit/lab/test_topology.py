"""A topology file says what is wrong with it, and where."""

from typing import Any

import pytest

from lab.errors import LabError
from lab.topology import DEFAULT, Link, load_topology, parse_topology

RACK = {"links": {"prov0": {"bridge": "prov-a", "addresses": ["10.10.0.2/24"]}}}


def topology(**changes: Any) -> dict[str, Any]:
    """A small valid topology with some of its parts replaced."""
    return {"bridges": {"prov-a": {}}, "nodes": {"rack1": RACK}} | changes


def test_default_topology() -> None:
    lab = load_topology(DEFAULT)
    assert [node.name for node in lab.nodes] == ["region1", "region2", "rack1", "rack2", "rack3", "rack4"]
    assert lab.node("rack2").links[1] == Link("prov1", "prov-b", ("10.20.0.3/24",))
    assert lab.node("rack4").labels == {}
    assert [lab.is_uplink(link) for link in lab.node("region1").links] == [True]
    assert lab.machine("m1").nameservers == ("10.10.0.2", "10.10.0.3")
    assert lab.wan is not None


def test_nodes_get_addresses_in_order() -> None:
    lab = parse_topology(topology(nodes={"a": None, "b": None}))
    assert [(node.address, node.pod_cidr) for node in lab.nodes] == [
        ("172.30.0.11", "10.244.11.0/24"),
        ("172.30.0.12", "10.244.12.0/24"),
    ]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"nodes": {}}, "nodes: at least one"),
        ({"nodes": ["rack1"]}, "nodes: must be a mapping"),
        ({"racks": {}}, "the file: unknown racks; known are bridges, machines, nodes, wan"),
        ({"bridges": {"prov-a": {"uplink": "yes"}}}, r"bridges\.prov-a\.uplink: must be true or false"),
        ({"nodes": {"Rack1": RACK}}, r"nodes\.Rack1: a name is 1-8 lower-case"),
        ({"nodes": {"fabric": RACK}}, r"nodes\.fabric: a name is"),
        ({"nodes": {"rack1": {"link": {}}}}, r"nodes\.rack1: unknown link"),
        ({"bridges": {}}, r"nodes\.rack1\.links\.prov0\.bridge: there is no bridge 'prov-a'"),
        ({"nodes": {"rack1": {"links": {"fab0": {"bridge": "prov-a"}}}}}, r"links\.fab0: an interface is"),
        ({"machines": {"rack1": RACK}}, "10.10.0.2 on bridge prov-a belongs to both rack1 and rack1"),
        ({"machines": {"rack1": {}}}, "rack1: both a node and a machine"),
        ({"machines": {"m1": RACK}}, "10.10.0.2 on bridge prov-a belongs to both rack1 and m1"),
        ({"machines": {"m1": {"nameservers": ["rack1"]}}}, r"machines\.m1\.nameservers: 'rack1'"),
        ({"machines": {"m1": {"nameservers": "10.10.0.2"}}}, r"machines\.m1\.nameservers: must be a list"),
        ({"wan": {"dns": "203.0.113.53"}}, r"wan\.links: is missing"),
    ],
)
def test_mistakes_are_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(LabError, match=message):
        parse_topology(topology(**changes))


@pytest.mark.parametrize("address", ["10.10.0.2", "10.10.0.256/24", "fd00:10::2", "rack1"])
def test_interface_addresses_need_a_prefix(address: str) -> None:
    links = {"prov0": {"bridge": "prov-a", "addresses": [address]}}
    with pytest.raises(LabError, match=r"nodes\.rack1\.links\.prov0\.addresses"):
        parse_topology(topology(nodes={"rack1": {"links": links}}))


def test_too_many_nodes() -> None:
    with pytest.raises(LabError, match="300 are too many"):
        parse_topology(topology(nodes={f"n{number}": None for number in range(300)}))


def test_a_file_that_is_no_yaml_is_named(tmp_path: Any) -> None:
    file = tmp_path / "broken.yaml"
    file.write_text("nodes: [")
    with pytest.raises(LabError, match=r"broken\.yaml"):
        load_topology(file)
    with pytest.raises(LabError, match="No such file"):
        load_topology(tmp_path / "missing.yaml")


def test_unknown_host_lists_the_known() -> None:
    with pytest.raises(LabError, match="no node 'rack9'; there are rack1"):
        parse_topology(topology()).node("rack9")
