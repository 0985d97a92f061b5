"""Report of a comparison of programs, with the reasons to doubt its figures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bpftop.measure.api import Report
from bpftop.measure.machine import Conditions, doubts
from bpftop.measure.programs.costs import SuiteTable
from bpftop.measure.statistics import NOISY_PCT


@dataclass(frozen=True)
class ProgramReport(Report[SuiteTable]):
    """The tables of the suites."""

    conditions: Conditions

    @property
    def warnings(self) -> Iterator[str]:
        """Yield a sentence for each reason to doubt the figures."""
        if self.partial:
            yield "this run was interrupted: the figures are those measured until then"
        yield from doubts(self.machine, self.conditions)
        rows = [(row, table) for table in self.results for row in table.rows]
        noisy = [(row.spread_pct, f"{row.name} of {table.suite}") for row, table in rows if row.noisy]
        if noisy:
            pct, name = max(noisy)
            yield (
                f"the machine was noisy: {len(noisy)} of {len(rows)} rows spread by more than {NOISY_PCT:.0f} %, "
                f"{name} by {pct:.0f} %; stop other programs and try again"
            )
