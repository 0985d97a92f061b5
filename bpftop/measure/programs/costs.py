"""Results of a comparison of programs: a table of rows, with costs on one CPU and on several CPUs at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bpftop.measure.statistics import Spread, spread


@dataclass(frozen=True)
class Budget:
    """Rule of thumb for the time that a program at a hook may take."""

    hook: str
    ns: float

    @property
    def limit(self) -> str:
        """Return the time as text: ``100 ns``, ``10 µs``."""
        return f"{self.ns:.0f} ns" if self.ns < 1000 else f"{self.ns / 1000:.0f} µs"


BUDGETS = (
    Budget("XDP", 100),
    Budget("TC", 1_000),
    Budget("kprobe and tracepoint", 10_000),
    Budget("cgroup", 100_000),
)
XDP_BUDGET, TC_BUDGET, TRACING_BUDGET, CGROUP_BUDGET = BUDGETS

PACKET_BUDGETS = (XDP_BUDGET, TC_BUDGET)
"""Budgets of programs that see each packet, so that the line rate limits them."""

LINE_RATE_PPS = 10e9 / ((64 + 20) * 8)
"""Packets per second at 10 Gb/s of the smallest frames: 64 bytes, and 20 for preamble and gap (IEEE 802.3)."""


@dataclass(frozen=True)
class CountedRuns:
    """Number of runs of a counting program, and number of runs that its maps have counted."""

    run: int
    counted: int

    @property
    def lost_pct(self) -> float:
        return 100 * (self.run - self.counted) / self.run if self.run else 0.0

    def __add__(self, other: CountedRuns) -> CountedRuns:
        return CountedRuns(self.run + other.run, self.counted + other.counted)


@dataclass(frozen=True)
class ProgramCost:
    """Nanoseconds per run of a body on each of ``cpus`` CPUs at once, over several rounds.

    ``gross`` is the whole time. ``net`` is the time above an empty body in the same round, and may be negative.
    """

    cpus: int
    net: Spread
    gross: Spread
    counted_runs: CountedRuns | None = None

    @property
    def ns(self) -> float:
        """Return the median of the net time, or 0 if the median is negative."""
        return max(0.0, self.net.median)

    @property
    def ops_per_sec(self) -> float | None:
        """Return the rate of all CPUs together; None if the cost is within the noise."""
        return self.cpus * 1e9 / self.ns if self.is_measurable else None

    @property
    def resolution_ns(self) -> float:
        """Return the least cost that can be told from 0: 2 % of the gross time, and at least 0.05 ns.

        A clock cycle takes 0.2 ns or more.
        """
        return max(0.05, self.gross.median / 50)

    @property
    def is_measurable(self) -> bool:
        return self.ns >= self.resolution_ns


def cost(
    cpus: int, gross: Sequence[float], empty: Iterable[float], counted_runs: CountedRuns | None = None
) -> ProgramCost:
    """Return the cost from the times of a body and of an empty body, round by round."""
    net = [body_ns - empty_ns for body_ns, empty_ns in zip(gross, empty, strict=True)]
    return ProgramCost(cpus, spread(net), spread(gross), counted_runs)


@dataclass(frozen=True)
class Size:
    """Size of a loaded program: instructions after the verifier, and bytes of machine code (0: no JIT)."""

    xlated_insns: int
    jited_bytes: int


@dataclass(frozen=True)
class ProgramRow:
    """A contestant. ``costs`` is sorted by number of CPUs, and begins with the cost on one CPU."""

    name: str
    what: str
    costs: tuple[ProgramCost, ...]
    size: Size | None = None
    returns: str = ""
    remark: str = ""

    @property
    def alone(self) -> ProgramCost:
        return self.costs[0]

    @property
    def crowded(self) -> ProgramCost:
        """Return the cost on the largest number of CPUs."""
        return self.costs[-1]

    @property
    def ns(self) -> float:
        return self.alone.ns

    @property
    def spread_pct(self) -> float:
        """Return the widest spread of the gross times: the spread of a small net time says nothing about noise."""
        return max(cost.gross.pct for cost in self.costs)

    @property
    def noisy(self) -> bool:
        return any(cost.gross.noisy for cost in self.costs)


@dataclass(frozen=True)
class Skipped:
    """A contestant that this kernel refused, with the reason in one line."""

    name: str
    reason: str


@dataclass(frozen=True)
class SuiteTable:
    """Table of a suite, ``partial`` until all rounds are done. A complete table has a verdict, one sentence.

    ``unit`` names one operation ("packet", "body", "key"). ``reference`` names the row that factors refer to.
    ``taken_off`` describes the subtracted time. ``budget`` belongs to the hook, if all programs have the same hook.
    """

    suite: str
    title: str
    unit: str
    rows: tuple[ProgramRow, ...]
    reference: str
    verdict: str = ""
    skipped: tuple[Skipped, ...] = ()
    taken_off: str = ""
    budget: Budget | None = None
    partial: bool = True

    def row(self, name: str) -> ProgramRow | None:
        return next((row for row in self.rows if row.name == name), None)

    def factor(self, row: ProgramRow) -> float | None:
        """Return how many times as fast as the reference a row is; None if a cost is within the noise."""
        reference = self.row(self.reference)
        if reference is None or not (reference.alone.is_measurable and row.alone.is_measurable):
            return None
        return reference.ns / row.ns


def budget_share(ns: float, budget: Budget) -> str:
    """Return ``12 % of the XDP budget of 100 ns``."""
    return f"{_pct(100 * ns / budget.ns)} of the {budget.hook} budget of {budget.limit}"


def line_rate_share(ns: float) -> str:
    """Return ``19 % of a CPU at 10 Gb/s of 64-byte frames (14.88 Mpps)``; one CPU cannot do more than 100 %."""
    return f"{_pct(100 * ns * LINE_RATE_PPS / 1e9)} of a CPU at 10 Gb/s of 64-byte frames (14.88 Mpps)"


def _pct(share: float) -> str:
    return f"{share:.1f} %" if share < 10 else f"{share:.0f} %"
