"""The lab does what its commands say, as seen by who is on it."""

import contextlib
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import network
from lab.cluster import Lab
from lab.demo.isolation import REFUSED, isolation
from lab.demo.knock import OPEN
from lab.demo.product import RACKS_A, rack_pods
from lab.demo.report import DemoError, Report
from lab.network import node_rules
from lab.processes import is_alive
from lab.site import settle_site
from lab.status import print_status

pytestmark = pytest.mark.e2e

HALF_MADE = "half"
DATAGRAMS = 400
SEND = f"for ((i = 0; i < {DATAGRAMS}; i++)); do echo >/dev/udp/{RACKS_A[0]}/9; done 2>/dev/null; true"


def pids(lab: Lab) -> dict[str, int | None]:
    """The first process of everything that a lab consists of."""
    hosts = {name: host.init_pid for name, host in lab.nodes.items()}
    hosts |= {name: host.init_pid for name, host in lab.machines.items()}
    return hosts | {daemon.name: daemon.pid for daemon in lab.control_plane.daemons}


def answers(lab: Lab) -> bool:
    """Whether m1 gets an answer of a rack."""
    ask = ["dig", "+time=1", "+tries=1", "maas-internal", "SOA", f"@{RACKS_A[0]}"]
    return lab.run_in("m1", ask, check=False).returncode == 0


def carrier(lab: Lab, host: str, interface: str) -> str:
    return lab.run_in(host, ["cat", f"/sys/class/net/{interface}/carrier"]).stdout.strip()


def count_sent(lab: Lab) -> int:
    """How many packets come out of m1's cable when it sends DATAGRAMS."""
    before = arrived(lab)
    lab.run_in("m1", ["bash", "-c", SEND])
    return arrived(lab) - before


def arrived(lab: Lab) -> int:
    """How many packets of m1 have come out of its cable."""
    show = ["ip", "-json", "-stats", "link", "show", network.port_name("m1", "eth0")]
    return int(json.loads(lab.run_in("fabric", show).stdout)[0]["stats64"]["rx"]["packets"])


@pytest.fixture
def healed(installed: Report) -> Iterator[Report]:
    """The lab with the example; m1's cable is whole again afterwards."""
    yield installed
    installed.lab.heal("m1")


def test_up_leaves_alone_what_runs(installed: Report) -> None:
    before = pids(installed.lab)
    assert all(before.values())
    again = Lab.up(installed.lab.site.name)
    assert pids(again) == before


def test_a_cut_cable_has_no_carrier_until_it_is_healed(healed: Report, capsys: pytest.CaptureFixture[str]) -> None:
    lab = healed.lab
    healed.wait("m1 is answered", lambda: answers(lab), 10)
    lab.cut("m1", "eth0")
    assert carrier(lab, "m1", "eth0") == "0"
    assert not answers(lab)
    print_status(lab)
    assert "eth0 10.10.0.101, fd00:10::101 CUT on prov-a" in capsys.readouterr().out
    lab.heal("m1")
    assert carrier(lab, "m1", "eth0") == "1"
    healed.wait("m1 is answered again", lambda: answers(lab), 10)


def test_interface_has_its_hardware_address_for_ever(healed: Report) -> None:
    shown = healed.lab.run_in("rack2", ["cat", "/sys/class/net/prov1/address"]).stdout.strip()
    assert shown == network.hardware_address("rack2", "prov1")


def test_loss_takes_its_share_until_it_is_healed(healed: Report) -> None:
    lab = healed.lab
    lab.loss("m1", "eth0", 100)
    assert carrier(lab, "m1", "eth0") == "1"
    assert not answers(lab)
    lab.loss("m1", "eth0", 50)
    assert DATAGRAMS * 0.25 < count_sent(lab) < DATAGRAMS * 0.75
    lab.heal("m1")
    healed.wait("m1 is answered again", lambda: answers(lab), 10)
    assert count_sent(lab) >= DATAGRAMS


def test_status_shows_all_there_is(installed: Report, capsys: pytest.CaptureFixture[str]) -> None:
    lab = installed.lab
    print_status(lab)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"lab {lab.site.name}: 6 of 6 nodes Ready, API server answers at https://172.30.0.10")
    rows = {line.split()[0]: line.split() for line in lines if line.strip()}
    for node in lab.site.topology.nodes:
        assert rows[node.name][1:3] == ["on", "yes"]
        assert node.address in rows[node.name]
    for machine in lab.site.topology.machines:
        assert rows[machine.name][1] == "on"
        assert machine.links[0].addresses[0].partition("/")[0] in " ".join(rows[machine.name])
    for pod in rack_pods(lab):
        assert rows[f"machines/{pod}"][3] == "Running"


def test_a_rack_that_forwards_is_found_out(installed: Report) -> None:
    """Without its rules a rack is a router, and the demo says so."""
    lab = installed.lab
    rack2 = lab.site.topology.node("rack2")
    lab.run_in("rack2", ["nft", "delete", "table", "inet", "lab"])
    try:
        with pytest.raises(DemoError) as found:
            isolation(installed)
    finally:
        lab.run_in("rack2", ["nft", "-f", "-"], stdin=node_rules(lab.site, rack2))
    said = str(found.value)
    assert said.startswith("m1 should not reach ")
    for target in ("172.30.0.11:10250", "10.96.0.1:443", "172.30.0.10:6443", "203.0.113.80:80"):
        assert f"{target} ({OPEN})" in said
    assert f"[fd00:30::11]:10250 ({REFUSED})" in said


def test_down_leaves_nothing_of_a_lab_that_is_half_made() -> None:
    Lab.remove(HALF_MADE)
    links = set(os.listdir("/sys/class/net"))
    lab = Lab(settle_site(HALF_MADE, None))
    assert lab.wan
    try:
        network.create_fabric(lab.site)
        for host in (lab.nodes["rack1"], lab.machines["m1"], lab.wan):
            host.power_on()
        processes = wait_for_processes(lab, {"containerd", "unshare", "python3"})
        assert set(traces(lab)) == {"namespaces", "cgroups", "mounts", "folder"}
    finally:
        lab.down()
    assert traces(lab) == {}
    assert [name for pid, name in processes.items() if is_alive(pid)] == []
    assert set(os.listdir("/sys/class/net")) == links


def wait_for_processes(lab: Lab, wanted: set[str]) -> dict[int, str]:
    """Process id -> name of all that runs in the lab's networks, once there is one of each name that is wanted."""
    deadline = time.monotonic() + 30
    while not wanted <= set((found := processes_of(lab)).values()):
        assert time.monotonic() < deadline, f"only {sorted(found.values())}"
        time.sleep(0.05)
    return found


def processes_of(lab: Lab) -> dict[int, str]:
    namespaces = {path.stat().st_ino for path in Path("/run/netns").glob(f"{lab.site.name}-*")}
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        # It may end while it is looked at.
        with contextlib.suppress(OSError):
            if (process / "ns/net").stat().st_ino in namespaces:
                found[int(process.name)] = (process / "comm").read_text().strip()
    return found


def traces(lab: Lab) -> dict[str, list[str]]:
    """What the host sees of a lab, by kind; kinds of which there is nothing are left out."""
    name, folder = lab.site.name, str(lab.site.folder)
    places = (f" {folder}/", f" /run/netns/{name}-")
    kinds = {
        "namespaces": [str(path) for path in Path("/run/netns").glob(f"{name}-*")],
        "cgroups": [str(path) for path in Path("/sys/fs/cgroup").glob(f"**/{name}-*")],
        "mounts": [line for line in Path("/proc/mounts").read_text().splitlines() if any(p in line for p in places)],
        "folder": [folder] if lab.site.folder.exists() else [],
    }
    return {kind: found for kind, found in kinds.items() if found}
