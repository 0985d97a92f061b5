"""A whole run of the bench: the machine, the tables, and what a reader has to know before believing them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from bpftop.measure.conditions import Conditions, doubts
from bpftop.measure.machine import Machine
from bpftop.measure.programs.costs import SuiteTable
from bpftop.measure.statistics import NOISY_PCT


@dataclass(frozen=True)
class ProgramReport:
    """``begun_ns`` is wall-clock time. ``ended_early``: not every suite that was asked for is here."""

    machine: Machine
    conditions: Conditions
    tables: tuple[SuiteTable, ...]
    begun_ns: int
    took_s: float
    ended_early: bool = False

    @property
    def partial(self) -> bool:
        return self.ended_early or any(table.partial for table in self.tables)

    @property
    def warnings(self) -> Iterator[str]:
        """A line for each doubt about the figures."""
        if self.partial:
            yield "this run was interrupted: what is here is what was measured until then"
        yield from doubts(self.machine, self.conditions)
        rows = [(row, table) for table in self.tables for row in table.rows]
        noisy = [(row.spread_pct, f"{row.name} of {table.suite}") for row, table in rows if row.noisy]
        if noisy:
            pct, name = max(noisy)
            yield (
                f"the machine was noisy: {len(noisy)} of {len(rows)} rows spread by more than {NOISY_PCT:.0f} %, "
                f"{name} by {pct:.0f} %; let nothing else run and try again"
            )


def unfinished(table: SuiteTable) -> SuiteTable:
    """The table of a suite that was interrupted from outside."""
    return replace(table, partial=True, verdict="")
