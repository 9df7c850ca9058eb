"""rsyslogd: on racks the relay with its spool, in region pods the collector. About its memory in an outage."""

from rackrelay import names
from rackrelay.daemons.daemon import Check, Daemon, NewFile, Placement, Volume, run_path
from rackrelay.daemons.requests import SyslogRoundTrip

FILE = "rsyslog.conf"

_PLACEMENT = Placement(("rsyslogd", "-n", "-i", "NONE", "-f", run_path(FILE)))

RSYSLOGD = Daemon(
    "rsyslogd",
    placements={names.COMPONENT_REGION: _PLACEMENT, names.COMPONENT_RACK: _PLACEMENT},
    checks=(Check("rsyslogd", SyslogRoundTrip()),),
    file=FILE,
    checker=("rsyslogd", "-N1", "-i", "NONE", "-f"),
    new_file=NewFile.AT_START,
    volumes=frozenset({Volume.STATE}),
    state_folder="rsyslog",
)
