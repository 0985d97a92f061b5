"""A suite: contestants that are measured in turn, round by round, so that a disturbance of the machine meets all."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from statistics import median
from typing import ClassVar, NamedTuple

from bpftop.kernel.bpf.bpf_map import Stop
from bpftop.kernel.measure.timed_runs import Stopped
from bpftop.measure.machine import bench_cpus, cpu_counts
from bpftop.measure.programs.costs import Budget, CountedRuns, ProgramRow, Size, Skipped, SuiteTable, cost

MeasuringFunction = Callable[[Sequence[int], Stop], float]
"""Return the ns of one operation in a round on these CPUs at once. Raises Stopped, BpftopError."""

Costs = Mapping[str, float]
"""Contestant -> ns of an operation. Skipped contestants are missing."""


def no_time(cpus: Sequence[int], stop: Stop) -> float:
    """Return 0: the cost is the whole time."""
    return 0.0


@dataclass(eq=False)
class Contestant:
    """A loaded contestant, and the times of its rounds by number of CPUs.

    The time of ``measure_empty`` in the same round is subtracted. Contestants may share a ``measure_empty``.
    """

    name: str
    what: str
    measure: MeasuringFunction
    measure_empty: MeasuringFunction = no_time
    size: Size | None = None
    returns: str = ""
    counted_runs: Mapping[int, CountedRuns] = field(default_factory=dict)
    times_ns: dict[int, list[float]] = field(default_factory=dict)
    empty_ns: dict[int, list[float]] = field(default_factory=dict)

    def row(self) -> ProgramRow:
        costs = tuple(cost(n, ns, self.empty_ns[n], self.counted_runs.get(n)) for n, ns in self.times_ns.items())
        return ProgramRow(self.name, self.what, costs, self.size, self.returns)


class SuiteProgress(NamedTuple):
    """Table of a running suite, and the share (0 to 1) of the suite that is done."""

    table: SuiteTable
    share: float


@dataclass(frozen=True)
class Suite(ABC):
    """Contestants that are compared with each other. ``unit``, ``reference`` and ``budget``: as in SuiteTable.

    Without ``reference``, factors refer to the first row.
    """

    name: str
    title: str
    unit: str = field(default="body", kw_only=True)
    rounds: int = field(default=9, kw_only=True)
    reference: str = field(default="", kw_only=True)
    budget: Budget | None = field(default=None, kw_only=True)
    remarks: Callable[[Costs], Mapping[str, str]] = field(default=lambda _: {}, kw_only=True)
    """Return a remark for some of the rows, by their names."""
    crowded: ClassVar[bool] = False
    """Measure on several CPUs at once, too."""

    @property
    @abstractmethod
    def expected_s(self) -> float:
        """Return about how long the suite takes."""

    @abstractmethod
    def contestants(self) -> Iterator[tuple[str, str]]:
        """Yield name and description of each possible row."""

    @abstractmethod
    def load(self, stack: ExitStack, stop: Stop) -> Iterator[Contestant | Skipped]:
        """Load the contestants; ``stack`` unloads them. Raises Stopped, BpftopError."""

    @abstractmethod
    def verdict(self, rows: Sequence[ProgramRow]) -> str:
        """Return the conclusion. Raises KeyError if the row of a skipped contestant is needed."""

    def cpu_sets(self) -> list[list[int]]:
        """Return the sets of CPUs to measure on, in each round."""
        cpus = bench_cpus()
        return [cpus[:count] for count in (cpu_counts(len(cpus)) if self.crowded else (1,))]

    def taken_off(self, empty_ns: Sequence[float]) -> str:
        """Describe the subtracted time, from the median of each ``measure_empty`` on one CPU."""
        return ""

    def run(self, stop: Stop) -> Generator[SuiteProgress, None, None]:
        """Yield the table after each round. If ``stop`` is set, the last table is partial. Raises BpftopError."""
        loaded: list[Contestant | Skipped] = []
        done = 0
        with ExitStack() as stack:
            try:
                for each in self.load(stack, stop):
                    loaded.append(each)
                    if stop.is_set():
                        raise Stopped
                contestants = [each for each in loaded if isinstance(each, Contestant)]
                while done < self.rounds:
                    self._round(contestants, stop)
                    done += 1
                    yield SuiteProgress(self._table(loaded, partial=done < self.rounds), done / self.rounds)
            except Stopped:
                yield SuiteProgress(self._table(loaded, partial=True), done / self.rounds)

    def _round(self, contestants: Sequence[Contestant], stop: Stop) -> None:
        for cpus in self.cpu_sets():
            if stop.is_set():
                raise Stopped
            empty_ns = {empty: empty(cpus, stop) for empty in dict.fromkeys(c.measure_empty for c in contestants)}
            times_ns = [contestant.measure(cpus, stop) for contestant in contestants]
            for contestant, ns in zip(contestants, times_ns, strict=True):
                contestant.times_ns.setdefault(len(cpus), []).append(ns)
                contestant.empty_ns.setdefault(len(cpus), []).append(empty_ns[contestant.measure_empty])

    def _table(self, loaded: Sequence[Contestant | Skipped], partial: bool) -> SuiteTable:
        measured = [each for each in loaded if isinstance(each, Contestant) and each.times_ns]
        skipped = tuple(each for each in loaded if isinstance(each, Skipped))
        rows = tuple(contestant.row() for contestant in measured)
        remarks = self.remarks({row.name: row.ns for row in rows})
        rows = tuple(replace(row, remark=remarks.get(row.name, "")) for row in rows)
        empty_ns = {contestant.measure_empty: median(contestant.empty_ns[1]) for contestant in measured}
        return SuiteTable(
            self.name,
            self.title,
            self.unit,
            rows,
            self.reference or (rows[0].name if rows else next(self.contestants())[0]),
            "" if partial else self._conclusion(rows, skipped),
            skipped,
            self.taken_off(list(empty_ns.values())),
            self.budget,
            partial,
        )

    def _conclusion(self, rows: Sequence[ProgramRow], skipped: Sequence[Skipped]) -> str:
        try:
            return self.verdict(rows)
        except KeyError:
            return f"No verdict: this kernel refused {', '.join(each.name for each in skipped)}."
