"""The daemons' records: what follows from each of them, and that a new daemon is one record."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

from rackrelay import names
from rackrelay.agent.check_loops import CheckLoop
from rackrelay.agent.checks.askers import ASKERS
from rackrelay.agent.config.swap import Swapper
from rackrelay.agent.loops import Agent
from rackrelay.agent.settings import NodeValues, Paths
from rackrelay.agent.status import AgentState, build_report
from rackrelay.daemons import table
from rackrelay.daemons.daemon import Check, Daemon, NewFile, Placement, Volume, run_path
from rackrelay.daemons.requests import Request, TcpConnect
from rackrelay.manifests.containers import Image
from rackrelay.manifests.desired import desire_rack
from rackrelay.manifests.pods import build_rack_workload
from rackrelay.protocol.agent_config import parse_agent_config
from rackrelay.render.inputs import RackInputs
from rackrelay.render.rack import render_rack
from tests import gen
from tests.unit.agent.config.test_swap import Daemons

IMAGE = Image("rackrelay/dataplane:test", "IfNotPresent")


@pytest.fixture
def port() -> Iterator[int]:
    """Where the new daemon listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def keepalived(monkeypatch: pytest.MonkeyPatch, port: int) -> Daemon:
    """A daemon more, on racks, of which there is nothing but this record."""
    added = Daemon(
        "keepalived",
        placements={names.COMPONENT_RACK: Placement(("keepalived", "-n", run_path("keepalived.conf")), ("NET_ADMIN",))},
        checks=(Check("keepalived", TcpConnect(port)),),
        file="keepalived.conf",
        checker=("keepalived", "-t", "-f"),
        new_file=NewFile.AT_START,
        volumes=frozenset({Volume.STATE}),
        state_folder="keepalived",
        memory="16Mi",
    )
    monkeypatch.setattr(table, "DAEMONS", (*table.DAEMONS, added))
    return added


@pytest.mark.usefixtures("keepalived")
def test_new_daemon_has_its_container_and_its_folder() -> None:
    pod = build_rack_workload(gen.rack(), gen.region(), IMAGE, "digest")["spec"]["template"]["spec"]
    container = pod["containers"][-1]
    assert container["name"] == "keepalived"
    assert container["command"] == ["keepalived", "-n", "/run/rackrelay/keepalived.conf"]
    assert container["resources"]["requests"] == {"cpu": "10m", "memory": "16Mi"}
    assert container["securityContext"]["capabilities"]["add"] == ["NET_ADMIN"]
    assert [m["mountPath"] for m in container["volumeMounts"]] == ["/run/rackrelay", "/var/lib/rackrelay/keepalived"]
    assert "/var/lib/rackrelay/keepalived" in pod["initContainers"][0]["command"][-1]
    assert "keepalived" not in {c["name"] for c in region_containers()}


def region_containers() -> list[gen.Manifest]:
    from rackrelay.manifests.pods import build_region_workload

    workload = build_region_workload(gen.region(), IMAGE, "digest")
    found: list[gen.Manifest] = workload["spec"]["template"]["spec"]["containers"]
    return found


@pytest.mark.usefixtures("keepalived")
def test_agent_is_told_of_a_new_daemon() -> None:
    config = parse_agent_config(render_rack(RackInputs(gen.region()))[names.FILE_AGENT])
    assert config.daemons == ("keepalived", "named", "nginx", "rsyslogd", "squid")


@pytest.mark.usefixtures("keepalived")
def test_file_that_a_new_daemon_reads_at_start_replaces_pods() -> None:
    assert table.files_read_at_start() == ("keepalived.conf", "rsyslog.conf", "squid.conf")
    workload = desire_rack(gen.rack(), RackInputs(gen.region()), IMAGE).objects[-1]
    assert workload["kind"] == "DaemonSet"


async def test_agent_brings_a_new_daemon_its_file_and_asks_it(keepalived: Daemon, tmp_path: Path) -> None:
    paths = Paths(*(tmp_path / name for name in ("config", "zone", "key", "run", "state", "tsig")))
    for folder in (paths.run, paths.state, paths.config / "..v1"):
        folder.mkdir(parents=True)
    (paths.config / "..data").symlink_to("..v1")
    text = json.loads(render_rack(RackInputs(gen.region()))[names.FILE_AGENT])
    text["daemons"] = [keepalived.name]
    (paths.config / "..v1" / names.FILE_AGENT).write_text(json.dumps(text))
    (paths.config / "..v1" / keepalived.file).write_text("vrrp on @NODE_NAME@\n")
    daemons, values = Daemons(), NodeValues("rack1", "192.0.2.1")
    agent = Agent(paths, values, Swapper(paths.run, daemons.check, lambda _: None, daemons.reload), AgentState(values))
    agent.state.addresses = ()
    await agent.watch_config()
    assert (paths.run / keepalived.file).read_text() == "vrrp on rack1\n"
    assert daemons.checked == [("keepalived", "vrrp on rack1\n")]
    await CheckLoop(agent, keepalived.checks[0]).step()
    assert build_report(agent.state).daemons == {"keepalived": ""}


def test_every_kind_of_request_can_be_made() -> None:
    assert set(ASKERS) == set(get_args(Request))


def test_checks_are_named_after_their_daemons() -> None:
    named = [check.name for check in table.all_checks()]
    assert len(set(named)) == len(named)
    for daemon in table.DAEMONS:
        assert daemon.checks
        assert {check.daemon for check in daemon.checks} == {daemon.name}
        assert daemon.checks[0].name == daemon.name, "the first says whether it was asked at all"
        assert bool(daemon.file) == bool(daemon.checker)
        assert (Volume.STATE in daemon.volumes) == bool(daemon.state_folder)
