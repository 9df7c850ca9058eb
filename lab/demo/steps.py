"""The steps of the demo, in order. Each takes a Report and raises DemoError when anything is not as it should be."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from lab.demo.isolation import isolation
from lab.demo.product import NAME_A, NAME_A6, NAME_B, NAMESPACE, RACKS_A, RACKS_A6, RACKS_B, region_pods
from lab.demo.report import Report, expect, same

ROUNDS = 20
# Its resolver chooses which of the two it uses.
M1 = ("10.10.0.101", "fd00:10::101")
METADATA = f"http://{NAME_A}:5248/MAAS/metadata/"
PROXY = f"http://{NAME_A}:8000"
PACKAGE = "rackrelay-hello"
LOGS = "/var/lib/rackrelay/rsyslog/logs"
EXTRA_NAME = "10-30-0-0--24.maas-internal"
EXTRA_ADDRESS = "10.30.0.4"
EXTRA = f"""
apiVersion: rackrelay.dev/v1alpha1
kind: Subnet
metadata: {{name: extra, namespace: {NAMESPACE}}}
spec: {{cidr: 10.30.0.0/24, regionRef: {{name: demo}}}}
"""


@dataclass(frozen=True)
class Step:
    """One thing that a person should see."""

    name: str
    title: str
    run: Callable[[Report], None]


def lookup(report: Report, host: str, name: str, server: str, kind: str = "A") -> list[str]:
    """What a rack answers now, without a word on the screen; empty when it does not answer."""
    argv = ["dig", "+short", "+time=1", "+tries=1", kind, name, f"@{server}"]
    done = report.lab.run_in(host, argv, check=False, timeout_s=10)
    return [] if done.returncode else done.stdout.split()


def names(report: Report) -> None:
    """Every rack answers the subnet's name with the racks of that subnet, in changing order."""
    for host, name, racks, kind in (
        ("m1", NAME_A, RACKS_A, "A"),
        ("m1", NAME_A, RACKS_A6, "AAAA"),
        ("m1", NAME_A6, RACKS_A, "A"),
        ("m1", NAME_A6, RACKS_A6, "AAAA"),
        ("m2", NAME_B, RACKS_B, "A"),
    ):
        for rack in racks:
            answer = report.ask(host, "dig", "+short", kind, name, f"@{rack}").split()
            same(answer, racks, f"{name} at {rack}")
            firsts = {_first(lookup(report, host, name, rack, kind), name, rack) for _ in range(ROUNDS)}
            same(firsts, racks, f"first answers of {rack} in {ROUNDS} queries")
            report.say(f"      first of {ROUNDS} answers: each of {', '.join(sorted(firsts))} came up")


def metadata(report: Report) -> None:
    """A machine fetches the metadata service's version index through a rack."""
    answer = report.ask("m1", "curl", "-sS", "--fail", METADATA)
    expect("2012-03-01" in answer.split(), f"the version index lacks 2012-03-01, which cloud-init asks for: {answer}")


def syslog(report: Report) -> None:
    """What a machine logs, over UDP and TCP, is found at a region with the machine's name and address."""
    for protocol in ("--udp", "--tcp"):
        line = f"demo{protocol}-{time.time_ns()}"
        report.ask("m1", "logger", "--server", NAME_A, "--port", "5247", protocol, line)
        found = report.wait("at the region", partial(find_line, report, line), 30)
        report.say(f"      {found}")
        expect(" m1 " in found, f"the line does not carry the machine's hostname m1: {found}")
        expect(any(a in found for a in M1), f"the line does not carry the machine's address: {found}")


def apt(report: Report) -> None:
    """apt installs a package whose origin only region nodes reach, through a rack."""
    proxy = f"Acquire::http::Proxy={PROXY}"
    report.ask("m1", "apt-get", "-qq", "-o", proxy, "update")
    report.ask("m1", "apt-get", "-qq", "-y", "-o", proxy, "install", "--reinstall", PACKAGE)
    answer = report.ask("m1", PACKAGE)
    expect("on m1" in answer, f"the installed program does not run: {answer}")


def failover(report: Report) -> None:
    """A rack that loses power leaves the name and comes back with its power; the machine goes on."""
    dead, alive = RACKS_A
    report.say("  power of rack1: off")
    report.lab.power_off("rack1")
    report.wait(f"{dead} gone from the answer of {alive}", lambda: lookup(report, "m1", NAME_A, alive) == [alive], 10)
    same(report.ask("m1", "dig", "+short", NAME_A, f"@{alive}").split(), [alive], NAME_A)
    report.ask("m1", "curl", "-sS", "--fail", "--retry", "3", METADATA)
    report.say("  power of rack1: on")
    report.lab.power_on("rack1")
    report.wait(
        f"{dead} back in the answer of {alive}",
        lambda: sorted(lookup(report, "m1", NAME_A, alive)) == [dead, alive],
        120,
    )
    report.wait("rack1 itself answers", lambda: sorted(lookup(report, "m1", NAME_A, dead)) == [dead, alive], 60)


def join(report: Report) -> None:
    """A node that gets the rack label joins its subnet's name."""
    report.lab.kubectl("label", "node", "rack4", "rackrelay.dev/role-")
    report.wait("rack4 is no rack", lambda: sorted(lookup(report, "m2", NAME_B, RACKS_B[0])) == sorted(RACKS_B), 60)
    report.say("  kubectl label node rack4 rackrelay.dev/role=rack")
    report.lab.kubectl("label", "node", "rack4", "rackrelay.dev/role=rack")
    wanted = sorted([*RACKS_B, "10.20.0.5"])
    report.wait("10.20.0.5 joined", lambda: sorted(lookup(report, "m2", NAME_B, RACKS_B[0])) == wanted, 90)
    for rack in wanted:
        report.wait(f"{rack} answers so", partial(answers_on_b, report, rack, wanted), 30)


def subnets(report: Report) -> None:
    """A further Subnet's name comes when it is created and goes when it is deleted."""
    lab = report.lab
    lab.run_in("rack3", ["ip", "address", "replace", f"{EXTRA_ADDRESS}/24", "dev", "prov0"])
    try:
        report.say("  rack3 gets 10.30.0.4/24; kubectl apply: Subnet extra, 10.30.0.0/24")
        lab.kubectl("apply", "-f", "-", stdin=EXTRA)
        report.wait(
            f"{EXTRA_NAME} answers", lambda: lookup(report, "m2", EXTRA_NAME, RACKS_B[0]) == [EXTRA_ADDRESS], 30
        )
        same(report.ask("m2", "dig", "+short", EXTRA_NAME, f"@{RACKS_B[0]}").split(), [EXTRA_ADDRESS], EXTRA_NAME)
    finally:
        report.say("  kubectl delete subnet extra")
        lab.kubectl("delete", "-n", NAMESPACE, "subnets.rackrelay.dev", "extra", "--ignore-not-found")
        lab.run_in("rack3", ["ip", "address", "del", f"{EXTRA_ADDRESS}/24", "dev", "prov0"], check=False)
    report.wait(f"{EXTRA_NAME} is gone", lambda: not lookup(report, "m2", EXTRA_NAME, RACKS_B[0]), 30)


STEPS = (
    Step("names", "(a) The subnet's name answers with its racks, and no others", names),
    Step("metadata", "(b) Metadata through the rack", metadata),
    Step("syslog", "(c) Logs through the rack, over UDP and TCP", syslog),
    Step("apt", "(d) Packages through the rack", apt),
    Step("isolation", "(e) Nothing else can be reached", isolation),
    Step("failover", "(f) A rack loses power, and gets it back", failover),
    Step("join", "(g) A node becomes a rack", join),
    Step("subnets", "(h) A Subnet comes and goes", subnets),
)


def find_line(report: Report, line: str) -> str:
    """What a region has written of a line, empty while none has it."""
    for pod in region_pods(report.lab):
        search = ["exec", "-n", NAMESPACE, pod, "-c", "rsyslogd", "--", "grep", "-rhF", line, LOGS]
        found = report.lab.kubectl(*search, check=False)
        if found.strip():
            return found.strip().splitlines()[0]
    return ""


def answers_on_b(report: Report, rack: str, wanted: Sequence[str]) -> bool:
    """Whether a rack gives these addresses, in whatever order, for the name of prov-b."""
    return sorted(lookup(report, "m2", NAME_B, rack)) == sorted(wanted)


def _first(answer: list[str], name: str, rack: str) -> str:
    expect(bool(answer), f"{rack} gave no address for {name}, or no answer within a second")
    return answer[0]
