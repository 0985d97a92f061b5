"""The seam to what compares programs: the pane's desk drives this, and a test hands in one of its own."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Protocol

from bpftop.kernel.map import possible_cpus
from bpftop.kernel.maps import Stop
from bpftop.profile.conditions import conditions
from bpftop.profile.costs import Table
from bpftop.profile.machine import machine
from bpftop.profile.report import Report
from bpftop.profile.suites import SUITES, Update, chosen, run


@dataclass(frozen=True)
class Listed:
    """A suite that can be run, in about ``expected_s`` seconds."""

    name: str
    title: str
    expected_s: float


class Engine(Protocol):
    """Runs suites."""

    def suites(self) -> tuple[Listed, ...]: ...

    def run(self, names: Sequence[str], stop: Stop) -> Generator[Update, None, None]:
        """Their tables as they grow. Raises BpftopError: a program that fails, or which privilege is missing."""

    def doubts(self, tables: Sequence[Table]) -> tuple[str, ...]:
        """What a reader has to know before believing these tables, a sentence each."""


class SuiteEngine:
    """The real one: what ``bpftop bench`` does, for the screen."""

    def suites(self) -> tuple[Listed, ...]:
        return tuple(Listed(suite.name, suite.title, suite.weight / 1000) for suite in SUITES.values())

    def run(self, names: Sequence[str], stop: Stop) -> Generator[Update, None, None]:
        return run(chosen(names), stop)

    def doubts(self, tables: Sequence[Table]) -> tuple[str, ...]:
        return tuple(Report(machine(possible_cpus()), conditions(), tuple(tables), 0, 0.0).warnings)
