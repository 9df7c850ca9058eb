"""The rendered configuration, as text to review, and as the daemons' own checkers see it."""

from collections.abc import Callable, Iterator
from ipaddress import ip_network
from pathlib import Path
from typing import Any, TypeVar

import pytest
import yaml

from rackrelay import names
from rackrelay.agent.config.expand import expand
from rackrelay.agent.config.views import expand_named
from rackrelay.agent.config.zonefile import empty_zone
from rackrelay.agent.settings import NodeValues
from rackrelay.daemons.daemon import Daemon
from rackrelay.daemons.named import NAMED
from rackrelay.daemons.table import configured, state_folders
from rackrelay.model.parsing import Parsed
from rackrelay.model.region import RegionEndpoint, parse_region
from rackrelay.model.subnet import parse_subnet
from rackrelay.protocol.agent_config import parse_agent_config
from rackrelay.render.inputs import RackInputs, RegionInputs
from rackrelay.render.rack import render_rack
from rackrelay.render.region import render_region
from tests.dataplane.netns import namespaces
from tests.dataplane.pod import Pod

HERE = Path(__file__).parent
CASES = sorted(folder.name for folder in HERE.iterdir() if (folder / "input.yaml").exists())
KINDS = ("rack", "region")
T = TypeVar("T")


def usable(parsed: Parsed[T]) -> T:
    """What was parsed, of which every field is right."""
    assert parsed.value is not None
    assert not parsed.problem
    return parsed.value


def read_case(case: str) -> dict[str, Any]:
    """The case's input."""
    document: dict[str, Any] = yaml.safe_load((HERE / case / "input.yaml").read_text())
    return document


def render(case: str, kind: str, *, reverse: bool = False) -> dict[str, str]:
    """The case's configuration; `reverse` gives its resources in another order."""
    document = read_case(case)
    step = -1 if reverse else 1
    region = usable(parse_region(document["region"]))
    subnets = tuple(usable(parse_subnet(s)) for s in document["subnets"])[::step]
    rotations = tuple(document.get("key_rotations", [1]))[::step]
    endpoints = tuple(RegionEndpoint(**e) for e in document["endpoints"])[::step]
    if kind == "rack":
        return render_rack(RackInputs(region, subnets, endpoints, rotations))
    racks = tuple(ip_network(r) for r in document["racks"])[::step]
    return render_region(RegionInputs(region, subnets, racks, rotations))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("case", CASES)
def test_text_is_the_golden_one(case: str, kind: str, golden: Callable[[Path, str], None]) -> None:
    for name, text in render(case, kind).items():
        golden(HERE / case / kind / name, text)


def test_no_file_is_left_that_nothing_is_compared_with() -> None:
    compared = {HERE / case / kind / name for case in CASES for kind in KINDS for name in render(case, kind)}
    inputs = {HERE / case / "input.yaml" for case in CASES}
    found = {file for file in HERE.rglob("*") if file.is_file() and not file.suffix.startswith(".py")}
    assert found - compared == inputs


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("case", CASES)
def test_order_of_the_resources_does_not_matter(case: str, kind: str) -> None:
    assert render(case, kind) == render(case, kind, reverse=True)


@pytest.fixture(scope="module")
def checker(image_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pod]:
    """A pod in which nothing runs but checkers."""
    with namespaces("checker") as spaces:
        pod = Pod(image_root, tmp_path_factory.mktemp("checker"), spaces["checker"], "node1", "192.0.2.1")
        key = 'key "{}" {{ algorithm hmac-sha256; secret "c2VjcmV0"; }};\n'
        pod.create(b"key", {names.tsig_file(r): key.format(names.tsig_key("metal", "demo", r)) for r in (1, 2)})
        spaces["checker"].sysctl("net.ipv4.ip_unprivileged_port_start", "0")
        for folder in state_folders():
            (pod.folder / "state" / folder).mkdir()
        yield pod
        pod.destroy()


def check(pod: Pod, daemon: Daemon, text: str) -> str | None:
    """What the daemon's checker has against a file, run as the agent runs it; None when it accepts the file."""
    file = pod.folder / "state" / daemon.file
    file.write_text(text)
    done = pod.execute(*daemon.checker, f"{names.DIR_STATE}/{daemon.file}")
    output = (done.stdout + done.stderr).decode(errors="replace")
    warned = "WARNING" in output or "warning" in output.lower().replace("0 warnings", "")
    return output if done.returncode or warned else None


@pytest.mark.dataplane
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("case", CASES)
def test_daemons_checker_accepts_every_file_without_a_warning(checker: Pod, case: str, kind: str) -> None:
    data = render(case, kind)
    config = parse_agent_config(data[names.FILE_AGENT])
    values = NodeValues("node1", read_case(case).get("node_ip", "192.168.77.11"))
    folder = checker.folder / "state" / "named"
    (folder / f"{config.domain}.zone").write_text(empty_zone(config).text)
    for daemon in configured():
        wanted = expand_named(data, values, ()) if daemon is NAMED else expand(data[daemon.file], values)
        for name, text in wanted.companions.items():
            checker.write(f"{names.DIR_RUN}/{name}", text)
        assert check(checker, daemon, wanted.text) is None, (daemon.name, case)


@pytest.mark.dataplane
@pytest.mark.parametrize("daemon", configured(), ids=lambda daemon: daemon.name)
def test_daemons_checker_refuses_a_broken_file(checker: Pod, daemon: Daemon) -> None:
    text = render(CASES[0], "rack")[daemon.file]
    assert check(checker, daemon, expand(text, NodeValues("n", "192.0.2.1")).text + "\nnonsense {\n") is not None
