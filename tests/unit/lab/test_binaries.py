"""What is built, and under which key it is kept."""

from dataclasses import replace
from pathlib import Path

import pytest

from lab import binaries
from lab.binaries import BUILDS, HELM, KUBERNETES, NODE, RUNC, binary_dir, build_key, find_binary, go_name
from lab.errors import LabError
from lab.progress import format_seconds


@pytest.mark.parametrize(
    ("package", "program"),
    [
        ("k8s.io/kubernetes/cmd/kubelet", "kubelet"),
        ("go.etcd.io/etcd/server/v3", "server"),
        ("github.com/containerd/containerd/v2/cmd/ctr", "ctr"),
    ],
)
def test_go_names_programs(package: str, program: str) -> None:
    assert go_name(package) == program


def test_programs() -> None:
    assert NODE.programs[0] == "etcd"
    assert {"kube-apiserver", "kubectl", "kubelet"} <= set(KUBERNETES.programs)
    names = [program for build in BUILDS for program in build.programs]
    assert len(names) == len(set(names))


def test_every_package_is_pinned_as_a_tool() -> None:
    for build in BUILDS:
        tools = (build.source / "go.mod").read_text()
        assert [package for package in build.packages if package not in tools] == []


def test_the_key_changes_with_flags_and_modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = {build_key(build) for build in BUILDS}
    keys.add(build_key(replace(HELM, ldflags="-X main.version=1")))
    monkeypatch.setattr(binaries, "REPOSITORY", tmp_path)
    HELM.source.mkdir(parents=True)
    for name in ("go.mod", "go.sum"):
        (HELM.source / name).write_text("changed")
    keys.add(build_key(HELM))
    assert len(keys) == len(BUILDS) + 2


def test_only_runc_is_built_with_cgo() -> None:
    assert [build.name for build in BUILDS if build.environment["CGO_ENABLED"] == "1"] == [RUNC.name]


def test_what_is_not_built_says_how(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    binary_dir.cache_clear()
    try:
        with pytest.raises(LabError, match="kubectl is not built yet: run `python3 -m lab build`"):
            find_binary("kubectl")
        with pytest.raises(LabError, match="builds no program called docker"):
            find_binary("docker")
    finally:
        binary_dir.cache_clear()


@pytest.mark.parametrize(("seconds", "text"), [(0.21, "0.2 s"), (48, "48 s"), (60, "1 min 0 s"), (665, "11 min 5 s")])
def test_durations(seconds: float, text: str) -> None:
    assert format_seconds(seconds) == text
