"""Comparisons of programs for the screen, behind a protocol that tests replace."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from bpftop.measure.api import MeasurementRun, Stop
from bpftop.measure.programs.comparison import Comparison
from bpftop.measure.programs.costs import SuiteTable
from bpftop.measure.programs.report import ProgramReport
from bpftop.measure.programs.suite import Suite
from bpftop.measure.programs.suites import SUITES, chosen


class ProgramRun(MeasurementRun[SuiteTable], Protocol):
    """A comparison of programs. A table comes again when it has grown."""

    def report(self) -> ProgramReport: ...


class ProgramEngine(Protocol):
    """A maker of comparisons."""

    def suites(self) -> tuple[Suite, ...]: ...

    def compare(self, names: Sequence[str], stop: Stop) -> ProgramRun: ...


class LocalProgramEngine:
    """Comparisons on this machine."""

    def suites(self) -> tuple[Suite, ...]:
        return tuple(SUITES.values())

    def compare(self, names: Sequence[str], stop: Stop) -> ProgramRun:
        return Comparison(chosen(names), stop)
