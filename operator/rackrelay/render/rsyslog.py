"""rsyslog.conf: on racks a relay with a spool on disk, in regions the collector behind it.

Nothing in it depends on the cluster, so rsyslogd is never restarted for a change: a restart would lose datagrams.
"""

from rackrelay import names

SPOOL = f"{names.DIR_STATE}/rsyslog"
LOGS = f"{SPOOL}/logs"


def common(*modules: str) -> list[str]:
    """Settings of the process. Names are never looked up: a dead resolver would stall the intake."""
    return [
        f'global(workDirectory="{SPOOL}" net.enableDNS="off" maxMessageSize="16k"',
        '       parser.permitSlashInProgramName="on" preserveFQDN="on" processInternalMessages="off")',
        *(f'module(load="{module}")' for module in modules),
    ]


def relay_template() -> list[str]:
    """RFC 5424 with the machine's own hostname and time; ours comes first, because a machine can forge a second one."""
    fields = (
        "<%PRI%>1 %TIMESTAMP:::date-rfc3339% %HOSTNAME% %APP-NAME% %PROCID% %MSGID% "
        '[rack@32473 from=\\"%fromhost-ip%\\" rcvd=\\"%timegenerated:::date-rfc3339%\\"]'
        "%$.data%%msg:::sp-if-no-1st-sp%%msg%\\n"
    )
    return [f'template(name="relayed" type="string" string="{fields}")']


def relay_intake() -> list[str]:
    """UDP and TCP into one ruleset; the agent's own line is answered before the spool: an outage does not hold it.

    From whoever reaches the port: a list of senders could be changed by a restart alone (docs/install.md).
    """
    return [
        'ruleset(name="intake") {',
        f'    if $programname == "{names.SYSLOG_HEALTH_PROGRAM}" and $fromhost-ip == "127.0.0.1" then {{',
        '        action(type="omfwd" target="127.0.0.1" protocol="udp" template="health"',
        f'               port="{names.PORT_LOCAL_ECHO}")',
        "        stop",
        "    }",
        '    if $structured-data == "-" then {',
        '        set $.data = "";',
        "    } else {",
        "        set $.data = $structured-data;",
        "    }",
        *(f"    {line}" for line in _relay_action()),
        "}",
        f'input(type="imudp" port="{names.PORT_RACK_SYSLOG}" ruleset="intake")',
        f'input(type="imptcp" port="{names.PORT_RACK_SYSLOG}" ruleset="intake")',
    ]


def health_template() -> list[str]:
    """The agent's line as it goes back: its text alone."""
    return ['template(name="health" type="string" string="%msg%\\n")']


def _relay_action() -> list[str]:
    """Relay to the region from a queue that goes to disk early and never gives up.

    The queue is the action's and not the ruleset's: a ruleset's loses the lines that are under way when rsyslogd stops
    in an outage, this one takes them back. A kill loses little more than what is below the watermark. A full spool
    drops new lines rather than stall the intake.
    """
    return [
        f'action(type="omrelp" target="127.0.0.1" port="{names.PORT_LOCAL_RELP}" template="relayed"',
        '       timeout="5" conn.timeout="2" action.resumeRetryCount="-1" action.resumeInterval="1"',
        '       action.reportSuspension="off"',
        '       queue.type="LinkedList" queue.filename="spool" queue.size="100000"',
        '       queue.highWatermark="300" queue.lowWatermark="50" queue.checkpointInterval="10"',
        '       queue.maxDiskSpace="1g" queue.saveOnShutdown="on" queue.timeoutShutdown="10"',
        '       queue.timeoutActionCompletion="100" queue.timeoutEnqueue="0")',
    ]


def collector() -> list[str]:
    """One file per source address and day. The queue is Direct, so a rack hears of success after the line is written.

    The folder's name comes from our own structured data and can only be an address, whatever a machine sends.
    """
    return [
        'template(name="file" type="string"',
        f'         string="{LOGS}/%$.source%/%$now-utc%.log")',
        'template(name="line" type="string"',
        '         string="<%PRI%>1 %TIMESTAMP:::date-rfc3339% %HOSTNAME% %APP-NAME% %PROCID% %MSGID% '
        '%STRUCTURED-DATA% %msg:::drop-last-lf%\\n")',
        'ruleset(name="collect" queue.type="Direct") {',
        "    set $.source = re_extract($structured-data,",
        '                              \'^\\\\[rack@32473 from="([0-9A-Fa-f.:]{2,45})"\', 0, 1, "unknown");',
        '    action(type="omfile" dynaFile="file" template="line" dynaFileCacheSize="200"',
        '           fileCreateMode="0640" dirCreateMode="0750" createDirs="on" asyncWriting="off"',
        '           action.resumeRetryCount="-1" action.resumeInterval="1")',
        "}",
        f'input(type="imrelp" address="127.0.0.1" port="{names.PORT_LOCAL_COLLECTOR}" ruleset="collect"',
        '      maxDataSize="32k")',
    ]
