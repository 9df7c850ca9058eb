"""The host beyond the uplink: stands for the internet, which only the region nodes reach."""

import sys
from dataclasses import dataclass
from pathlib import Path

from lab import network
from lab.archive import archive_dir
from lab.paths import REPOSITORY
from lab.processes import Daemon
from lab.site import Site
from lab.topology import Wan


@dataclass(frozen=True)
class WanHost:
    """Its network and its one process: a DNS server and an APT origin."""

    site: Site

    @property
    def is_on(self) -> bool:
        return self._daemon.pid is not None

    @property
    def log(self) -> Path:
        """What was asked of it: a line for every DNS query and every HTTP request."""
        return self._daemon.log

    @property
    def _wan(self) -> Wan:
        assert self.site.topology.wan  # noqa: S101 - the lab makes a WanHost only where the topology has one
        return self.site.topology.wan

    @property
    def _daemon(self) -> Daemon:
        wan = self._wan
        argv = [*self.site.enter("wan"), sys.executable, "-m", "lab.wan_server", wan.dns, wan.archive, wan.domain]
        return Daemon("wan", self.site.folder / "log", [*argv, archive_dir()], {"PYTHONPATH": str(REPOSITORY)})

    def power_on(self) -> None:
        """It answers."""
        if not self.is_on:
            network.delete_host(self.site, "wan")
            network.create_host(self.site, "wan", self._wan.links)
            self._daemon.start()

    def power_off(self) -> None:
        """It is gone."""
        self._daemon.stop()
        network.delete_host(self.site, "wan")
