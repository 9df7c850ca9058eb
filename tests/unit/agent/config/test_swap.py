"""The apply flow: what goes live, what does not, who is signalled."""

import os
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from rackrelay.agent.config.expand import Expanded, companions_of, expand
from rackrelay.agent.config.processes import Process
from rackrelay.agent.config.swap import Swapper
from rackrelay.agent.files import read_file
from rackrelay.agent.settings import NodeValues
from rackrelay.daemons.daemon import Daemon
from rackrelay.daemons.named import NAMED
from rackrelay.daemons.nginx import NGINX
from rackrelay.daemons.rsyslogd import RSYSLOGD
from rackrelay.daemons.squid import SQUID


@dataclass
class Daemons:
    """Daemons that write down what is done to them."""

    words: str | None = None
    running: dict[str, Process] = field(default_factory=dict)
    checked: list[tuple[str, str]] = field(default_factory=list)
    signalled: list[Process] = field(default_factory=list)

    async def check(self, daemon: Daemon, file: Path) -> str | None:
        self.checked.append((daemon.name, read_file(file) or ""))
        return self.words

    def reload(self, process: Process) -> bool:
        self.signalled.append(process)
        return True

    def swapper(self, run: Path) -> Swapper:
        return Swapper(run, self.check, lambda name: self.running.get(name), self.reload)


NEW = Expanded("new", "hash")


async def test_accepted_file_goes_live_and_its_daemon_is_signalled(tmp_path: Path) -> None:
    daemons = Daemons(running={"nginx": Process(5, 1)})
    assert await daemons.swapper(tmp_path).apply(NGINX, NEW) is None
    assert (tmp_path / "nginx.conf").read_text() == "new"
    assert daemons.signalled == [Process(5, 1)]
    assert os.listdir(tmp_path) == ["nginx.conf"]


async def test_refused_file_leaves_the_last_good_one_and_no_trace(tmp_path: Path) -> None:
    (tmp_path / "nginx.conf").write_text("old")
    daemons = Daemons("unknown directive", {"nginx": Process(5, 1)})
    assert await daemons.swapper(tmp_path).apply(NGINX, NEW) == "unknown directive"
    assert (tmp_path / "nginx.conf").read_text() == "old"
    assert not daemons.signalled
    assert os.listdir(tmp_path) == ["nginx.conf"]


async def test_same_file_is_neither_checked_nor_signalled(tmp_path: Path) -> None:
    daemons = Daemons(running={"named": Process(5, 1)})
    swapper = daemons.swapper(tmp_path)
    await swapper.apply(NAMED, NEW)
    await swapper.apply(NAMED, NEW)
    assert len(daemons.checked) == len(daemons.signalled) == 1


@pytest.mark.parametrize("daemon", [SQUID, RSYSLOGD], ids=lambda daemon: daemon.name)
async def test_daemons_that_would_drop_work_are_not_signalled_but_marked(tmp_path: Path, daemon: Daemon) -> None:
    daemons = Daemons(running={daemon.name: Process(5, 1)})
    swapper = daemons.swapper(tmp_path)
    await swapper.apply(daemon, NEW)
    assert not daemons.signalled
    assert swapper.restart_needed(daemon)
    assert daemons.swapper(tmp_path).restart_needed(daemon), "the mark outlives the agent"
    daemons.running[daemon.name] = Process(5, 2)
    assert not swapper.restart_needed(daemon)


async def test_file_before_the_daemons_first_start_needs_no_restart(tmp_path: Path) -> None:
    daemons = Daemons()
    swapper = daemons.swapper(tmp_path)
    await swapper.apply(SQUID, NEW)
    daemons.running["squid"] = Process(5, 1)
    assert not swapper.restart_needed(SQUID)


async def test_unwritable_folder_is_an_error_of_its_own(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        await Daemons().swapper(tmp_path / "missing").apply(NGINX, NEW)


async def test_companions_are_there_for_the_checker_and_go_when_they_are_no_longer_named(tmp_path: Path) -> None:
    daemons = Daemons(running={"named": Process(5, 1)})
    seen: list[set[str]] = []

    async def check(daemon: Daemon, file: Path) -> str | None:
        seen.append(set(os.listdir(tmp_path)))
        return daemons.words

    swapper = Swapper(tmp_path, check, daemons.running.get, daemons.reload)
    await swapper.apply(NAMED, Expanded("one", "hash", {"named.rpz.a": "a"}))
    assert "named.rpz.a" in seen[0]
    daemons.words = "unknown option"
    await swapper.apply(NAMED, Expanded("two", "hash", {"named.rpz.b": "b"}))
    assert (tmp_path / "named.rpz.a").exists(), "the last good file names it still"
    daemons.words = None
    await swapper.apply(NAMED, Expanded("two", "hash", {"named.rpz.b": "b"}))
    assert sorted(os.listdir(tmp_path)) == ["named.conf", "named.rpz.b"]


async def test_marks_are_no_companions(tmp_path: Path) -> None:
    daemons = Daemons(running={"squid": Process(5, 1)})
    swapper = daemons.swapper(tmp_path)
    await swapper.apply(SQUID, NEW)
    assert swapper.restart_needed(SQUID)


def test_companions_carry_the_daemons_name() -> None:
    data = {"named.conf": "", "named.rpz.a": "a", "nginx.conf": "", "agent.json": ""}
    assert companions_of("named.conf", data) == {"named.rpz.a": "a"}
    assert companions_of("nginx.conf", data) == {}


def test_hash_is_the_companions_as_well() -> None:
    values = NodeValues("rack1", "10.0.0.1")
    hashes = {expand("text", values, c).hash for c in ({}, {"a": "1"}, {"a": "2"}, {"b": "1"})}
    assert len(hashes) == 4


def test_expansion_fills_the_nodes_values_and_its_own_hash() -> None:
    template = 'listen @NODE_IP@; name @NODE_NAME@; version "@CONFIG_HASH@";'
    one = expand(template, NodeValues("rack1", "10.0.0.1"))
    assert one.text == f'listen 10.0.0.1; name rack1; version "{one.hash}";'
    assert len(one.hash) == 16
    assert expand(template, NodeValues("rack2", "10.0.0.1")).hash != one.hash
    assert expand(template, NodeValues("rack1", "10.0.0.1")) == one
