"""Kubernetes, containerd, runc, etcd and helm, built once from their Go modules and kept in the cache.

`lab/build/*/go.mod` pin the versions. A build's folder is named by a hash of go.mod, go.sum and the flags,
so a changed version is built anew and an unchanged one is found at once.
"""

import functools
import hashlib
import os
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from lab.errors import LabError
from lab.locks import make_once
from lab.paths import REPOSITORY, cache_dir
from lab.progress import Progress, format_seconds

_VERSION = "k8s.io/component-base/version"
# Without these the API server calls itself v0.0.0 and kubelets refuse to work with it.
_KUBERNETES_LDFLAGS = f"-X {_VERSION}.gitVersion=v1.37.2 -X {_VERSION}.gitMajor=1 -X {_VERSION}.gitMinor=37"


@dataclass(frozen=True)
class GoBuild:
    """Programs of one Go module; `renamed` maps what Go calls a program to what we call it."""

    name: str
    module: str
    packages: tuple[str, ...]
    expected: str
    ldflags: str = ""
    tags: str = ""
    renamed: tuple[tuple[str, str], ...] = ()

    @property
    def flags(self) -> list[str]:
        ldflags = f"-s -w {self.ldflags}".strip()
        return ["-trimpath", "-ldflags", ldflags, *(["-tags", self.tags] if self.tags else [])]

    @property
    def source(self) -> Path:
        return REPOSITORY / "lab" / "build" / self.module

    @property
    def programs(self) -> list[str]:
        """The names of the binaries."""
        names = dict(self.renamed)
        return [names.get(go_name(package), go_name(package)) for package in self.packages]

    @property
    def environment(self) -> dict[str, str]:
        # The host may pin a toolchain older than the modules need; cgo is for runc's libseccomp alone.
        cgo = "1" if self.tags else "0"
        return {**os.environ, "GOFLAGS": "", "GOTOOLCHAIN": "auto", "CGO_ENABLED": cgo, "GOWORK": "off"}


KUBERNETES = GoBuild(
    name="kubernetes",
    module="kubernetes",
    packages=tuple(
        f"k8s.io/kubernetes/cmd/kube{program}"
        for program in ("-apiserver", "-controller-manager", "-scheduler", "-proxy", "ctl", "let")
    ),
    expected="9 min",
    ldflags=_KUBERNETES_LDFLAGS,
)
NODE = GoBuild(
    name="node",
    module="node",
    packages=(
        "go.etcd.io/etcd/server/v3",
        "github.com/containerd/containerd/v2/cmd/containerd",
        "github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2",
        "github.com/containerd/containerd/v2/cmd/ctr",
        "github.com/containernetworking/plugins/plugins/ipam/host-local",
        "github.com/containernetworking/plugins/plugins/main/loopback",
        "github.com/containernetworking/plugins/plugins/main/ptp",
        "github.com/containernetworking/plugins/plugins/meta/portmap",
    ),
    expected="2 min",
    renamed=(("server", "etcd"),),
)
# Without seccomp, pods under the restricted Pod Security Standard do not start.
RUNC = GoBuild("runc", "node", ("github.com/opencontainers/runc",), "1 min", tags="seccomp")
HELM = GoBuild("helm", "helm", ("helm.sh/helm/v4/cmd/helm",), "2 min")
BUILDS = (KUBERNETES, NODE, RUNC, HELM)


def go_name(package: str) -> str:
    """What Go calls the program of a package: its last element that is not a major version."""
    parts = package.split("/")
    is_version = parts[-1].startswith("v") and parts[-1][1:].isdigit()
    return parts[-2] if is_version else parts[-1]


def build_key(build: GoBuild) -> str:
    """A hash of all that decides what the build gives."""
    digest = hashlib.sha256()
    for name in ("go.mod", "go.sum"):
        digest.update((build.source / name).read_bytes())
    digest.update(repr((build.packages, build.flags)).encode())
    return digest.hexdigest()[:16]


@functools.cache
def binary_dir(build: GoBuild) -> Path:
    """Where the build's programs are once it is done."""
    return cache_dir("bin") / f"{build.name}-{build_key(build)}"


def find_binary(program: str) -> Path:
    """The built program. Raises LabError when it was not built yet."""
    for build in BUILDS:
        if program in build.programs:
            path = binary_dir(build) / program
            if path.exists():
                return path
            raise LabError(f"{program} is not built yet: run `python3 -m lab build` (about {build.expected})")
    raise LabError(f"the lab builds no program called {program}")


def search_path() -> str:
    """PATH with everything that the lab built in front."""
    return ":".join([*(str(binary_dir(build)) for build in BUILDS), os.environ.get("PATH", os.defpath)])


def missing_builds() -> list[GoBuild]:
    """What has to be built still."""
    return [build for build in BUILDS if not binary_dir(build).is_dir()]


def build_one(build: GoBuild, progress: Progress) -> None:
    """The build's programs are in the cache."""
    if not shutil.which("go"):
        raise LabError("Go is not installed: install Go 1.21 or later (Debian: apt-get install golang-go)")

    def fill(scratch: Path) -> None:
        programs = scratch / "root"
        _run_go(build, ["go", "build", "-v", *build.flags, "-o", f"{programs}/", *build.packages], progress)
        for old, new in build.renamed:
            (programs / old).rename(programs / new)

    make_once(binary_dir(build), fill)


def _run_go(build: GoBuild, argv: list[str], progress: Progress) -> None:
    """Runs Go, which names each package that it has compiled."""
    began, compiled, said = time.monotonic(), 0, [""]
    with subprocess.Popen(
        argv,
        cwd=build.source,
        env=build.environment,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
    ) as go:
        assert go.stderr  # noqa: S101 - it is a pipe
        for line in go.stderr:
            compiled, said = compiled + 1, [*said[-15:], line]
            elapsed = format_seconds(time.monotonic() - began)
            progress.tell(f"build {build.name}: {compiled} packages, {elapsed} of about {build.expected}")
    if go.returncode:
        raise LabError(f"building {build.name} failed:\n{''.join(said)}")
