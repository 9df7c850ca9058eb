"""`python3 -m lab.demo`: from a fresh machine to machines that are served, step by step, in front of your eyes."""

import argparse
import sys
import time

from lab.cluster import Lab
from lab.demo import product
from lab.demo.report import DemoError, Report
from lab.demo.steps import METADATA, STEPS
from lab.errors import LabError

CLOSING = """
The cluster keeps running. To look around:
  python3 -m lab status                              nodes, machines and pods at a glance
  python3 -m lab kubectl -- get region,rack,snet -n machines
  python3 -m lab kubectl -- describe snet prov-a -n machines
  python3 -m lab shell m1                            be a machine
  python3 -m lab power-off rack2                     pull the plug
  python3 -m lab down                                remove all of it
"""


def main() -> int:
    """Exit code 0 when every step came out right."""
    # Whoever asks for help, or mistypes, does not want an installation.
    argparse.ArgumentParser(prog="python3 -m lab.demo", description=__doc__).parse_args()
    try:
        show(Report(Lab.open()))
    except (DemoError, LabError) as error:
        print(f"\nThis is wrong: {error}", file=sys.stderr)
        return 1
    print(CLOSING)
    return 0


def show(report: Report) -> None:
    """Install, apply, and every step of the demo."""
    report.title("helm install, kubectl apply -f examples/demo")
    began = time.monotonic()
    product.install(report.lab)
    product.apply_example(report.lab)
    report.wait("m1 got its metadata through a rack", lambda: _served(report), 300)
    report.say(f"      helm install to the first machine served: {time.monotonic() - began:.1f} s")
    product.wait_ready(report)
    report.say(report.lab.kubectl("get", "region,rack,snet", "-n", product.NAMESPACE))
    for step in STEPS:
        report.title(step.title)
        step.run(report)


def _served(report: Report) -> bool:
    done = report.lab.run_in("m1", ["curl", "-s", "--fail", "--max-time", "2", METADATA], check=False)
    return done.returncode == 0


if __name__ == "__main__":
    sys.exit(main())
