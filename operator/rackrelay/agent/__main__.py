"""`python3 -m rackrelay.agent`."""

import asyncio
import json
import os
import resource
from collections.abc import Mapping
from pathlib import Path

from rackrelay.agent import loops, rack_loops, region_loops, status
from rackrelay.agent.check_loops import CheckLoop
from rackrelay.agent.config import check, processes
from rackrelay.agent.config.swap import Swapper
from rackrelay.agent.loops import Agent, log, repeat
from rackrelay.agent.rack_loops import RackLoops
from rackrelay.agent.region_loops import RegionLoops
from rackrelay.agent.server import StatusServer
from rackrelay.agent.sessions.listener import CARE_INTERVAL_S
from rackrelay.agent.settings import NodeValues, Paths, read_node_values
from rackrelay.daemons.table import all_checks, state_folders
from rackrelay.protocol import paths
from rackrelay.protocol.status_document import build_status_document

FILES_LIMIT = 16384


def main() -> None:
    """Run until the kubelet stops the container."""
    os.umask(0o027)
    raise_file_limit()
    asyncio.run(run(Paths(), read_node_values(os.environ)))


async def run(folders: Paths, values: NodeValues) -> None:
    """Prepare what the daemons need before they start, let them start, and look after them."""
    make_state_folders(folders.state)
    state = status.AgentState(values)
    swapper = Swapper(folders.run, check.check_file, processes.find_daemon, processes.reload_daemon)
    agent = Agent(folders, values, swapper, state)
    rack, region = RackLoops.of(agent), RegionLoops.of(agent)

    async def say_status(_query: Mapping[str, str]) -> bytes:
        return json.dumps(build_status_document(status.build_report(state))).encode()

    server = StatusServer(folders.agent_key, {paths.STATUS: say_status, paths.HEARD: region.heard.wait})
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(repeat(agent.watch_config, loops.WATCH_INTERVAL_S))
        for check_loop in (CheckLoop(agent, one) for one in all_checks()):
            tasks.create_task(repeat(check_loop.step, check_loop.pause_s))
        tasks.create_task(repeat(agent.watch_restarts, loops.PROBE_INTERVAL_S))
        tasks.create_task(repeat(agent.watch_serial, loops.SERIAL_INTERVAL_S))
        tasks.create_task(repeat(agent.probe_regions, loops.PROBE_INTERVAL_S))
        tasks.create_task(repeat(agent.follow_addresses, loops.ADDRESS_PAUSE_S))
        tasks.create_task(repeat(rack.beat, rack_loops.BEAT_INTERVAL_S))
        tasks.create_task(repeat(rack.list_peers, rack_loops.LIST_INTERVAL_S))
        tasks.create_task(repeat(rack.ask_peers, rack.question_interval_s))
        tasks.create_task(repeat(rack.pull, rack_loops.BEAT_INTERVAL_S))
        tasks.create_task(repeat(region.listen, region_loops.LISTEN_INTERVAL_S))
        tasks.create_task(repeat(region.sweep, region_loops.SWEEP_INTERVAL_S))
        tasks.create_task(repeat(region.look_after, CARE_INTERVAL_S))
        # The node may get the address after the pod starts: try until it can be listened on.
        tasks.create_task(repeat(lambda: server.serve(values.node_ip), loops.PROBE_INTERVAL_S))


def raise_file_limit() -> None:
    """Allow as many open files as the container may have: a thousand racks are a thousand connections."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    soft = FILES_LIMIT if hard == resource.RLIM_INFINITY else min(FILES_LIMIT, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def make_state_folders(state: Path) -> None:
    """Create the daemons' folders where the volume lets us; where it does not, `prepare` has made them."""
    for name in state_folders():
        try:
            (state / name).mkdir(exist_ok=True)
        except OSError as error:
            log(f"{state / name}: {error}")


if __name__ == "__main__":
    main()
