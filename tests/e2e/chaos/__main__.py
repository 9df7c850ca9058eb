"""`python -m tests.e2e.chaos`: half an hour of faults on the lab that `make demo` left, with a seed that replays."""

import argparse
import sys
import time

from lab.cluster import Lab
from lab.demo.report import Report
from tests.e2e.chaos.run import Storm, prepare, run_storm


def main() -> int:
    """Exit code 0 when nothing happened that should not have."""
    parser = argparse.ArgumentParser(prog="python -m tests.e2e.chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--seed", type=int, default=int(time.time()), help="the one that a run prints replays it")
    parser.add_argument("--bound", type=float, default=1.5, help="seconds after which a dead address is a violation")
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}")
    report = Report(Lab.open())
    prepare(report)
    violations = run_storm(report.lab, Storm(arguments.minutes * 60, arguments.seed, arguments.bound))
    for violation in violations:
        print(violation)
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
