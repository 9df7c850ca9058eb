"""What benches share: how often to run, and the lab, the image and a folder, made when first asked for."""

import os
import shutil
import tempfile
from contextlib import ExitStack
from functools import cached_property
from io import StringIO
from pathlib import Path
from types import TracebackType
from typing import Self

from lab.cluster import Lab
from lab.demo import product
from lab.demo.report import Report
from tests.dataplane.image import unpacked_image

LAB = "bench"
PATIENCE_S = 300


class Workshop:
    """`quick` asks for the fewest runs: does it work at all? What was made here is gone when it closes."""

    def __init__(self, quick: bool = False, lab: Lab | None = None) -> None:
        self.quick = quick
        self._stack = ExitStack()
        self._given = lab

    def runs(self, full: int) -> int:
        """How many runs to do."""
        return 1 if self.quick else full

    def scale(self, full: int, quick: int) -> int:
        """How much of something to make."""
        return quick if self.quick else full

    @cached_property
    def lab(self) -> Lab:
        """A running lab: the one given, or RACKRELAY_LAB, and left as it is; otherwise one is made and removed."""
        if self._given:
            return self._given
        if given := os.environ.get("RACKRELAY_LAB"):
            return Lab.up(given)
        lab = Lab.up(LAB, fresh=True)
        self._stack.callback(lab.down)
        return lab

    @cached_property
    def image(self) -> Path:
        """The data-plane image's root file system."""
        return self._stack.enter_context(unpacked_image())

    def installed(self) -> Report:
        """The demo's region, racks and Subnets, Ready on the lab; a report that nobody reads."""
        report = Report(self.lab, StringIO())
        if "rackrelay" not in self.lab.helm("list", "-q", "-n", product.OPERATOR_NAMESPACE).split():
            product.install(self.lab)
            product.apply_example(self.lab)
        product.wait_ready(report, PATIENCE_S)
        return report

    def folder(self, name: str) -> Path:
        """An empty folder that goes with the workshop."""
        made = Path(tempfile.mkdtemp(prefix=f"rackrelay-bench-{name}-"))
        self._stack.callback(shutil.rmtree, made, ignore_errors=True)
        return made

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()
