"""Random faults on the lab, and what machines must not notice of them. By hand: `python -m tests.e2e.chaos --help`."""
