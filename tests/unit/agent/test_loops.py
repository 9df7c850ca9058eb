"""The configuration loop on folders of the test's own, with daemons that only write down."""

import asyncio
from ipaddress import ip_network
from pathlib import Path

import pytest

from rackrelay import names
from rackrelay.agent.checks import addresses
from rackrelay.agent.checks.addresses import NodeAddress
from rackrelay.agent.checks.result import CheckResult
from rackrelay.agent.config import mounted, zonefile
from rackrelay.agent.config.processes import Process
from rackrelay.agent.config.views import EVERYWHERE
from rackrelay.agent.loops import Agent, repeat
from rackrelay.agent.settings import NodeValues, Paths
from rackrelay.agent.status import AgentState
from rackrelay.model.meta import Meta
from rackrelay.model.region import RegionController
from rackrelay.model.subnet import Subnet
from rackrelay.render.inputs import RackInputs
from rackrelay.render.rack import render_rack
from tests.unit.agent.config.test_mounted import mount
from tests.unit.agent.config.test_swap import Daemons

VALUES = NodeValues("rack1", "192.0.2.1")
CONFIG = render_rack(RackInputs(RegionController(Meta("metal", "demo"))))


@pytest.fixture
def daemons() -> Daemons:
    """Daemons of which none runs and no checker complains."""
    return Daemons()


@pytest.fixture
def agent(tmp_path: Path, daemons: Daemons) -> Agent:
    """An agent over empty folders."""
    paths = Paths(*(tmp_path / name for name in ("config", "zone", "key", "run", "state")))
    for folder in (paths.config, paths.run, paths.state / "named"):
        folder.mkdir(parents=True)
    agent = Agent(paths, VALUES, daemons.swapper(paths.run), AgentState(VALUES))
    agent.state.addresses = ()
    return agent


def ready(agent: Agent) -> bool:
    """Whether the daemons may start."""
    return (agent.paths.run / "ready").exists()


async def test_without_a_configuration_it_waits(agent: Agent) -> None:
    await agent.watch_config()
    assert not ready(agent)
    assert agent.config is None


async def test_first_configuration_goes_live_with_a_zone_file_and_lets_the_daemons_start(agent: Agent) -> None:
    mount(agent.paths.config, "..1", CONFIG)
    await agent.watch_config()
    assert ready(agent)
    assert {f.name for f in agent.paths.run.iterdir()} >= {"named.conf", "nginx.conf", "rsyslog.conf", "squid.conf"}
    assert "192.0.2.1" in (agent.paths.run / "named.conf").read_text()
    assert "SOA" in (agent.paths.state / "named" / "maas-internal.zone").read_text()
    assert agent.state.daemons == ("named", "nginx", "rsyslogd", "squid")


async def test_nothing_is_applied_before_the_node_is_known(agent: Agent) -> None:
    agent.state.addresses = None
    mount(agent.paths.config, "..1", CONFIG)
    await agent.watch_config()
    assert not ready(agent)


async def test_late_address_gives_named_another_view_which_stays_when_it_goes(agent: Agent, daemons: Daemons) -> None:
    nets = [ip_network(f"10.{number}.0.0/24") for number in range(EVERYWHERE + 1)]
    subnets = tuple(Subnet(Meta("metal", f"subnet{n}"), cidr) for n, cidr in enumerate(nets))
    mount(agent.paths.config, "..1", render_rack(RackInputs(RegionController(Meta("metal", "demo")), subnets)))
    await agent.watch_config()
    daemons.running = {"named": Process(1, 1), "nginx": Process(2, 1)}
    agent.state.addresses = (NodeAddress("prov0", "10.7.0.2", 24, carrier=True),)
    await agent.watch_config()
    assert daemons.signalled == [Process(1, 1)]
    assert 'view "10-7-0-0--24"' in (agent.paths.run / "named.conf").read_text()
    assert (agent.paths.run / "named.rpz.10-7-0-0--24").exists()
    agent.state.addresses = ()
    await agent.watch_config()
    assert daemons.signalled == [Process(1, 1)]
    assert 'view "10-7-0-0--24"' in (agent.paths.run / "named.conf").read_text()


async def test_late_address_is_not_forgotten_when_the_configuration_cannot_be_read(
    agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    mount(agent.paths.config, "..1", CONFIG)
    await agent.watch_config()
    agent.state.addresses = (NodeAddress("prov0", "10.7.0.2", 24, carrier=True),)
    with monkeypatch.context() as replaced:
        replaced.setattr(mounted, "read_snapshot", lambda _folder: None)
        await agent.watch_config()
    assert not agent._served
    await agent.watch_config()
    assert agent._served == {"10.7.0.2"}


@pytest.mark.parametrize("text", ["", "{}", '{"subnets": 1, "patterns": {}}'])
async def test_unreadable_list_of_views_is_reported_and_named_stays_as_it_was(agent: Agent, text: str) -> None:
    mount(agent.paths.config, "..1", CONFIG)
    await agent.watch_config()
    before = (agent.paths.run / "named.conf").read_text()
    mount(agent.paths.config, "..2", {**CONFIG, names.FILE_VIEWS: text})
    await agent.watch_config()
    assert agent.state.rejected["named"].startswith("views.json: ")
    assert (agent.paths.run / "named.conf").read_text() == before


async def test_refused_first_configuration_lets_nothing_start_and_is_tried_again(
    agent: Agent, daemons: Daemons, monkeypatch: pytest.MonkeyPatch
) -> None:
    daemons.words = "no good"
    mount(agent.paths.config, "..1", CONFIG)
    await agent.watch_config()
    assert not ready(agent)
    assert set(agent.state.rejected) == {"named", "nginx", "rsyslogd", "squid"}
    daemons.words = None
    await agent.watch_config()
    assert not ready(agent), "not at once: a checker costs something"
    agent._retry_at = 0
    await agent.watch_config()
    assert ready(agent)
    assert not agent.state.rejected


async def test_unchanged_configuration_costs_nothing(agent: Agent, daemons: Daemons) -> None:
    mount(agent.paths.config, "..1", CONFIG)
    await agent.watch_config()
    checked = len(daemons.checked)
    await agent.watch_config()
    assert len(daemons.checked) == checked


async def test_change_reaches_only_the_daemon_whose_file_it_is(agent: Agent, daemons: Daemons) -> None:
    mount(agent.paths.config, "..1", CONFIG)
    await agent.watch_config()
    daemons.running = {"named": Process(1, 1), "nginx": Process(2, 1)}
    mount(agent.paths.config, "..2", {**CONFIG, "nginx.conf": CONFIG["nginx.conf"] + "# more\n"})
    await agent.watch_config()
    assert daemons.signalled == [Process(2, 1)]


async def test_daemon_that_runs_an_old_file_is_signalled_again(agent: Agent, daemons: Daemons) -> None:
    mount(agent.paths.config, "..1", CONFIG)
    await agent.watch_config()
    daemons.running = {"nginx": Process(2, 1)}
    agent.state.learn("nginx", CheckResult(True, running="old"))
    agent._retry_at = 0
    await agent.watch_config()
    assert daemons.signalled == [Process(2, 1)]


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"kind": "rack"}', "not json"])
async def test_unreadable_agent_json_is_reported_and_changes_nothing(agent: Agent, text: str) -> None:
    mount(agent.paths.config, "..1", CONFIG)
    await agent.watch_config()
    mount(agent.paths.config, "..2", {**CONFIG, "agent.json": text})
    await agent.watch_config()
    assert set(agent.state.rejected) == {"agent"}
    assert agent.config is not None


async def test_missing_file_is_reported_by_name(agent: Agent) -> None:
    mount(agent.paths.config, "..1", {k: v for k, v in CONFIG.items() if k != "squid.conf"})
    await agent.watch_config()
    assert agent.state.rejected == {"squid": "squid.conf is missing from the ConfigMap"}


async def test_full_disk_is_reported_and_the_daemons_start_all_the_same(
    agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_args: object) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(zonefile, "prepare_zone", fail)
    mount(agent.paths.config, "..1", CONFIG)
    await agent.watch_config()
    assert "No space left" in agent.state.rejected["zone"]
    assert ready(agent)


async def test_running_named_keeps_its_zone_file(agent: Agent, daemons: Daemons) -> None:
    daemons.running = {"named": Process(1, 1)}
    mount(agent.paths.config, "..1", CONFIG)
    await agent.watch_config()
    assert not list((agent.paths.state / "named").iterdir())


async def test_addresses_told_last_stay_while_the_kernel_does_not_tell(
    agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    await agent.read_addresses()
    told = agent.state.addresses
    assert told is not None

    async def fail(*_args: object) -> None:
        raise OSError(105, "No buffer space available")

    monkeypatch.setattr(addresses, "list_addresses", fail)
    with pytest.raises(OSError, match="No buffer space"):
        await agent.read_addresses()
    assert agent.state.addresses is told


async def test_loop_survives_a_step_that_fails_and_logs_it_once(capsys: pytest.CaptureFixture[str]) -> None:
    calls = 0
    enough = asyncio.Event()

    async def step() -> None:
        nonlocal calls
        calls += 1
        if calls == 3:
            enough.set()
        raise RuntimeError("odd")

    task = asyncio.create_task(repeat(step, 0.001))
    await asyncio.wait_for(enough.wait(), 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert capsys.readouterr().err.count("odd") == 1
