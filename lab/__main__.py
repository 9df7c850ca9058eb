"""`python3 -m lab`, from the top of the repository."""

import sys

from lab.cli import main

sys.exit(main(sys.argv[1:]))
