"""The seam between comparing programs and a screen: a protocol, and the engine that runs on this machine."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Protocol

from bpftop.kernel.bpf.bpf_map import Stop
from bpftop.kernel.bpf.percpu_array import possible_cpus
from bpftop.measure.conditions import conditions
from bpftop.measure.machine import machine
from bpftop.measure.programs.costs import SuiteTable
from bpftop.measure.programs.report import ProgramReport
from bpftop.measure.programs.suites import SUITES, Update, chosen, run


@dataclass(frozen=True)
class SuiteEntry:
    """A suite that can be run, in about ``expected_s`` seconds."""

    name: str
    title: str
    expected_s: float


class ProgramEngine(Protocol):
    """Runs suites."""

    def suites(self) -> tuple[SuiteEntry, ...]: ...

    def run(self, names: Sequence[str], stop: Stop) -> Generator[Update, None, None]:
        """Their tables as they grow. Raises BpftopError: a program that fails, or which privilege is missing."""

    def doubts(self, tables: Sequence[SuiteTable]) -> tuple[str, ...]:
        """What a reader has to know before believing these tables, a sentence each."""


class LocalProgramEngine:
    """The real one: what ``bpftop bench`` does, for the screen."""

    def suites(self) -> tuple[SuiteEntry, ...]:
        return tuple(SuiteEntry(suite.name, suite.title, suite.weight / 1000) for suite in SUITES.values())

    def run(self, names: Sequence[str], stop: Stop) -> Generator[Update, None, None]:
        return run(chosen(names), stop)

    def doubts(self, tables: Sequence[SuiteTable]) -> tuple[str, ...]:
        return tuple(ProgramReport(machine(possible_cpus()), conditions(), tuple(tables), 0, 0.0).warnings)
