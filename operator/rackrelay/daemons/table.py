"""All daemons, in the order in which their containers stand in a pod. A new daemon is a record, and a line here."""

from rackrelay.daemons.daemon import Check, Daemon
from rackrelay.daemons.metadata import METADATA
from rackrelay.daemons.named import NAMED
from rackrelay.daemons.nginx import NGINX
from rackrelay.daemons.rsyslogd import RSYSLOGD
from rackrelay.daemons.squid import SQUID

DAEMONS: tuple[Daemon, ...] = (NGINX, NAMED, RSYSLOGD, SQUID, METADATA)


def daemons_of(component: str) -> tuple[Daemon, ...]:
    """The daemons in the pods of a component."""
    return tuple(daemon for daemon in DAEMONS if component in daemon.placements)


def daemon_names(component: str) -> tuple[str, ...]:
    """Their names, sorted."""
    return tuple(sorted(daemon.name for daemon in daemons_of(component)))


def find_daemon(name: str) -> Daemon | None:
    """The daemon of that name; None for one that only another release knows."""
    return next((daemon for daemon in DAEMONS if daemon.name == name), None)


def configured() -> tuple[Daemon, ...]:
    """The daemons that have a configuration file."""
    return tuple(daemon for daemon in DAEMONS if daemon.file)


def all_checks() -> tuple[Check, ...]:
    """Every request that agents make of daemons."""
    return tuple(check for daemon in DAEMONS for check in daemon.checks)


def files_read_at_start() -> tuple[str, ...]:
    """The files of which a change needs a new process, sorted."""
    return tuple(sorted(daemon.file for daemon in configured() if not daemon.reloads))


def state_folders() -> tuple[str, ...]:
    """The folders of the daemons that keep anything, sorted."""
    return tuple(sorted(daemon.state_folder for daemon in DAEMONS if daemon.state_folder))
