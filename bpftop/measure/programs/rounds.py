"""The loop that all suites share: load the contestants, measure round by round, show the table after each round."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import ExitStack
from typing import Protocol

from bpftop.kernel.bpf.bpf_map import Stop
from bpftop.kernel.measure.contend import Stopped
from bpftop.measure.programs.costs import SuiteProgress, SuiteTable


class Race(Protocol):
    """Contestants that are measured in turn, so that a disturbance of the machine meets all of them."""

    def load(self, stack: ExitStack, stop: Stop) -> None:
        """Load the contestants; ``stack`` unloads them. Raises Stopped, BpftopError."""

    def round(self, stop: Stop) -> None:
        """Measure each contestant once. Raises Stopped, BpftopError."""

    def table(self, partial: bool) -> SuiteTable:
        """Return the table of all rounds until now."""


def run_rounds(race: Race, rounds: int, stop: Stop) -> Generator[SuiteProgress, None, None]:
    """Yield the table after each round. If ``stop`` is set, the last table is partial. Raises BpftopError."""
    done = 0
    with ExitStack() as stack:
        try:
            race.load(stack, stop)
            while done < rounds:
                race.round(stop)
                done += 1
                yield SuiteProgress(race.table(partial=done < rounds), done / rounds)
        except Stopped:
            yield SuiteProgress(race.table(partial=True), done / rounds)
