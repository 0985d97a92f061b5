"""What a comparison of programs comes to: a table of rows, each with its costs on one CPU and on several at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bpftop.measure.statistics import Spread, spread


@dataclass(frozen=True)
class Budget:
    """What a program at this hook may take, by rule of thumb, before it is what the machine is busy with."""

    hook: str
    ns: float


BUDGETS = (
    Budget("XDP", 100),
    Budget("TC", 1_000),
    Budget("kprobe and tracepoint", 10_000),
    Budget("cgroup", 100_000),
)
XDP_BUDGET, TC_BUDGET, TRACING_BUDGET, CGROUP_BUDGET = BUDGETS

LINE_RATE_PPS = 10e9 / ((64 + 20) * 8)
"""10 Gb/s of the smallest frames, 64 bytes and 20 for preamble and gap (IEEE 802.3): 14.88 million a second."""


@dataclass(frozen=True)
class CountedRuns:
    """How often a counting program ran, and how many of these runs its maps know of."""

    run: int
    counted: int

    @property
    def lost_pct(self) -> float:
        return 100 * (self.run - self.counted) / self.run if self.run else 0.0

    def __add__(self, other: CountedRuns) -> CountedRuns:
        return CountedRuns(self.run + other.run, self.counted + other.counted)


@dataclass(frozen=True)
class ProgramCost:
    """One run of one body on each of ``cpus`` CPUs at once, in ns, over repeated measurements.

    ``net`` is what it adds to the empty one beside it (negative where that took longer), ``gross`` the whole.
    """

    cpus: int
    net: Spread
    gross: Spread
    kept: CountedRuns | None = None

    @property
    def ns(self) -> float:
        """The median of what it adds; never below 0, which a difference of two measured times may be."""
        return max(0.0, self.net.median)

    @property
    def ops_per_sec(self) -> float | None:
        """Of all CPUs together; None where it costs too little to be told from nothing."""
        return self.cpus * 1e9 / self.ns if self.is_told else None

    @property
    def is_told(self) -> bool:
        """Whether the cost is above the resolution (0.01 ns), and no small rest of a large difference."""
        return self.ns >= max(0.01, self.gross.median / 50)


def cost(cpus: int, gross: Sequence[float], empty: Iterable[float], kept: CountedRuns | None = None) -> ProgramCost:
    """The cost of what took ``gross``, where an empty one took ``empty`` beside it, round by round."""
    net = [whole - nothing for whole, nothing in zip(gross, empty, strict=True)]
    return ProgramCost(cpus, spread(net), spread(gross), kept)


@dataclass(frozen=True)
class Size:
    """A program as the kernel holds it: instructions that the verifier has rewritten, and machine code (0: no JIT)."""

    xlated_insns: int
    jited_bytes: int


@dataclass(frozen=True)
class ProgramRow:
    """One contestant. ``costs`` is never empty; by number of CPUs, the first for one."""

    name: str
    what: str
    costs: tuple[ProgramCost, ...]
    size: Size | None = None
    returns: str = ""

    @property
    def alone(self) -> ProgramCost:
        return self.costs[0]

    @property
    def crowded(self) -> ProgramCost:
        """On as many CPUs as were tried."""
        return self.costs[-1]

    @property
    def ns(self) -> float:
        return self.alone.ns

    @property
    def spread_pct(self) -> float:
        """The widest of all numbers of CPUs. Of the whole time: a small difference of two says nothing about noise."""
        return max(cost.gross.pct for cost in self.costs)

    @property
    def noisy(self) -> bool:
        return any(cost.gross.noisy for cost in self.costs)


@dataclass(frozen=True)
class Skipped:
    """A contestant that this kernel refused, and its reason in one line."""

    name: str
    reason: str


@dataclass(frozen=True)
class SuiteTable:
    """What a suite has found. ``partial`` until all of its rounds are done; then there is a verdict, one sentence.

    ``unit`` says what one operation is ("packet", "body", "key"). ``reference`` is the row that factors refer to.
    ``taken_off`` says what was subtracted. ``budget`` is that of the hook whose programs are compared, where they are.
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
        """How many times as fast as the reference a row is; None where one of them is too small to divide by."""
        reference = self.row(self.reference)
        if reference is None or not (reference.alone.is_told and row.alone.is_told):
            return None
        return reference.ns / row.ns

    @property
    def noisy(self) -> tuple[str, ...]:
        return tuple(row.name for row in self.rows if row.noisy)


@dataclass(frozen=True)
class SuiteProgress:
    """A suite goes on: its table so far, and what share of it (0 to 1) is done."""

    table: SuiteTable
    share: float


def budget_share(ns: float, budget: Budget) -> str:
    """``12 % of the XDP budget of 100 ns``."""
    return f"{_pct(100 * ns / budget.ns)} of the {budget.hook} budget of {_time(budget.ns)}"


def line_rate_share(ns: float) -> str:
    """``19 % of a CPU at 10 Gb/s of 64-byte frames (14.88 Mpps)``; more than 100 % is more than one CPU can do."""
    return f"{_pct(100 * ns * LINE_RATE_PPS / 1e9)} of a CPU at 10 Gb/s of 64-byte frames (14.88 Mpps)"


def _pct(share: float) -> str:
    return f"{share:.1f} %" if share < 10 else f"{share:.0f} %"


def _time(ns: float) -> str:
    return f"{ns:.0f} ns" if ns < 1000 else f"{ns / 1000:.0f} µs"
