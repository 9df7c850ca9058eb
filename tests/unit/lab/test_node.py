"""The files of a node."""

import tomllib
from pathlib import Path

import pytest

from lab.binaries import NODE, binary_dir
from lab.node import cni_config, containerd_config, kubelet_config, resolver
from lab.site import Site
from lab.topology import DEFAULT, load_topology

SITE = Site("rr", load_topology(DEFAULT))
RACK, REGION = SITE.topology.node("rack1"), SITE.topology.node("region1")


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    binary_dir.cache_clear()


def test_kubelet_listens_on_the_node_network_only() -> None:
    config = kubelet_config(SITE, RACK, Path("/node"))
    assert config["address"] == RACK.address == "172.30.0.13"
    assert config["cgroupRoot"] == "/rr-rack1"
    assert config["resolvConf"] == "/node/resolv.conf"


def test_pods_get_the_nodes_own_network() -> None:
    ptp = cni_config(RACK)["plugins"][0]  # type: ignore[index]
    assert ptp["type"] == "ptp"
    assert ptp["ipam"]["ranges"] == [[{"subnet": "10.244.13.0/24"}]]


def test_containerd_config_is_toml_and_names_what_was_built() -> None:
    plugins = tomllib.loads(containerd_config(Path("/node")))["plugins"]
    runtime = plugins["io.containerd.cri.v1.runtime"]
    assert runtime["restrict_oom_score_adj"] is True
    assert runtime["cni"] == {"bin_dirs": [str(binary_dir(NODE))], "conf_dir": "/node/cni"}
    assert runtime["containerd"]["runtimes"]["runc"]["options"]["SystemdCgroup"] is False
    assert plugins["io.containerd.cri.v1.images"]["pinned_images"]["sandbox"] == "localhost/rackrelay/pause:lab"


def test_only_nodes_with_an_uplink_ask_the_outside() -> None:
    assert resolver(SITE, REGION) == "nameserver 203.0.113.53\n"
    assert resolver(SITE, RACK) == "nameserver 127.0.0.1\n"
