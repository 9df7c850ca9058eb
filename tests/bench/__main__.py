"""`python -m tests.bench`: run benches, keep their figures in build/bench.json and print them."""

import argparse
import sys
import time
from collections.abc import Sequence
from typing import Any

from tests.bench.machine import Machine, load
from tests.bench.registry import BENCHES, Bench
from tests.bench.table import DOCUMENT, FILE, build_rows, document, keep_rows, plain_table, read_rows
from tests.bench.workshop import Workshop


def main(argv: Sequence[str]) -> int:
    """The exit code: 0 also when goals are missed, for a figure is no test."""
    arguments = parse(argv)
    if arguments.list:
        for bench in BENCHES:
            print(f"{bench.name:12} {bench.needs:22} {bench.about}")
        return 0
    if arguments.document:
        document(DOCUMENT, read_rows(FILE))
        return 0
    run(choose(arguments.only), arguments.quick)
    return 0


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """The arguments."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    names = [bench.name for bench in BENCHES]
    parser.add_argument("--list", action="store_true", help="print what there is")
    parser.add_argument(
        "--only", action="append", choices=names, metavar="NAME", help="run this bench; can be repeated"
    )
    parser.add_argument("--quick", action="store_true", help="the fewest runs: does it work? Writes no figures")
    parser.add_argument("--document", action="store_true", help="write the figures that there are into the document")
    return parser.parse_args(argv)


def choose(names: Sequence[str] | None) -> list[Bench]:
    """The benches of these names, or all."""
    return [bench for bench in BENCHES if names is None or bench.name in names]


def run(benches: Sequence[Bench], quick: bool) -> None:
    """Print their figures; they are written after each bench, so that an interrupted run keeps what it has."""
    rows: list[dict[str, Any]] = []
    with Workshop(quick) as workshop:
        for bench in benches:
            before = load()
            print(f"{bench.name}: {bench.about} ...", file=sys.stderr, flush=True)
            began = time.monotonic()
            found = build_rows(bench.run(workshop), Machine.here(), before)
            print(f"{bench.name}: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
            rows += found
            if not quick:
                keep_rows(FILE, found)
    print(plain_table(rows))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
