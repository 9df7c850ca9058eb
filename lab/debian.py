"""Debian packages of the host and Debian trees for machines and images, each made once and cached."""

import hashlib
import os
import shutil
from pathlib import Path

from lab.errors import LabError
from lab.locks import make_once
from lab.paths import cache_dir
from lab.shell import run

SUITE = "trixie"
HOST_PACKAGES = (
    "buildah",
    "ca-certificates",
    "conntrack",
    "debian-archive-keyring",
    "debootstrap",
    "dnsperf",
    "dpkg-dev",
    "gcc",
    "iproute2",
    "iptables",
    "kmod",
    "libc6-dev",
    "libseccomp-dev",
    "mount",
    "nftables",
    "openssl",
    "pkg-config",
    "procps",
    "python3-yaml",
    "util-linux",
)
MACHINE_PACKAGES = (
    "bind9-dnsutils",
    "bsdutils",
    "ca-certificates",
    "cloud-init",
    "curl",
    "iproute2",
    "iputils-ping",
    "netcat-openbsd",
    "openssh-client",
    "procps",
    "python3",
)
_QUIET = {"DEBIAN_FRONTEND": "noninteractive"}
_APT_INSTALL = ("apt-get", "install", "--yes", "--no-install-recommends", "-qq")


def missing_host_packages() -> list[str]:
    """What `prepare_host` would install; quick, it only asks dpkg."""
    known = run(["dpkg-query", "-W", "-f", "${db:Status-Status} ${Package}\n", *HOST_PACKAGES], check=False)
    installed = {line.split()[1] for line in known.stdout.splitlines() if line.startswith("installed ")}
    return [package for package in HOST_PACKAGES if package not in installed]


def prepare_host() -> None:
    """Every tool that the lab calls is installed."""
    if os.geteuid() != 0:
        raise LabError("the lab makes network namespaces and mounts: run it as root")
    if missing := missing_host_packages():
        run(["apt-get", "update", "-qq"], env=_QUIET)
        run([*_APT_INSTALL, *missing], env=_QUIET)


def base_tree() -> Path:
    """A minimal trixie with certificates: what images start from."""
    return _tree("base", ("ca-certificates",))


def machine_tree() -> Path:
    """A trixie with cloud-init and the clients that machines use."""
    return _tree("machine", MACHINE_PACKAGES)


def build_base_tree() -> Path:
    """The base tree, made by debootstrap unless it is there."""

    def fill(scratch: Path) -> None:
        root = scratch / "root"
        run(["debootstrap", "--variant=minbase", "--include=ca-certificates", SUITE, root])
        run(["chroot", root, "apt-get", "clean"])

    return make_once(base_tree(), fill)


def build_machine_tree() -> Path:
    """The machines' tree, made from the base tree unless it is there."""

    def fill(scratch: Path) -> None:
        root = scratch / "root"
        run(["cp", "-a", f"{build_base_tree()}/.", root])
        # As apt does for the host: the same name servers, no services started.
        shutil.copy("/etc/resolv.conf", root / "etc/resolv.conf")
        (root / "usr/sbin/policy-rc.d").write_text("#!/bin/sh\nexit 101\n")
        (root / "usr/sbin/policy-rc.d").chmod(0o755)
        run(["chroot", root, "apt-get", "update", "-qq"])
        # A tree that was interrupted is thrown away, so dpkg need not wait for the disk.
        hasty = ("-o", "Dpkg::Options::=--force-unsafe-io")
        run(["chroot", root, *_APT_INSTALL, *hasty, *MACHINE_PACKAGES], env=_QUIET)
        run(["chroot", root, "apt-get", "clean"])
        shutil.rmtree(root / "var/lib/apt/lists")

    return make_once(machine_tree(), fill)


def _tree(name: str, packages: tuple[str, ...]) -> Path:
    key = hashlib.sha256(repr((SUITE, packages)).encode()).hexdigest()[:12]
    return cache_dir("trees") / f"{SUITE}-{name}-{key}"
