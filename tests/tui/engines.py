"""Engines with known results that replace the real engines; a test decides when they continue."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

from bpftop.errors import BpftopError
from bpftop.measure.api import Progress, Stop
from bpftop.measure.machine import Conditions, Machine
from bpftop.measure.maps.geometry import KINDS, Geometry, default_key_bytes
from bpftop.measure.maps.plan import OPERATIONS, SINGLE_OF, WALK, WALKS, Cell, MeasurePlan, MeasureRequest
from bpftop.measure.maps.results import CellResult, MapReport, OperationCost, figures
from bpftop.measure.programs.costs import XDP_BUDGET, CountedRuns, ProgramRow, Size, Skipped, SuiteTable, cost
from bpftop.measure.programs.report import ProgramReport
from bpftop.measure.programs.suite import Contestant, Suite
from bpftop.measure.run_store import StoredRun
from bpftop.measure.statistics import Summary, spread
from tests.waiting import LIMIT_S

HELD_S = LIMIT_S


@dataclass
class Held:
    """Goes on after ``first`` steps only when ``go`` is set, or the run is cancelled."""

    first: int | None = None
    go: threading.Event = field(default_factory=threading.Event)
    at_it: threading.Event = field(default_factory=threading.Event)

    def wait(self, step: int, stop: Stop) -> None:
        if step != self.first:
            return
        self.at_it.set()
        for _ in range(int(HELD_S / 0.005)):
            if stop.is_set() or self.go.wait(0.005):
                return
        raise AssertionError("the test never let it go on")


MACHINE = Machine("h", "0", "6.1", None, 2, 2, None, None, None, {})
VERDICT = "For keys 0 to 9999 choose array: a look-up in a program costs 8.5 ns, 9.0 ns by hash."


def some_cost(p50_ns: float) -> OperationCost:
    times = Summary(9000, p50_ns * 0.9, p50_ns, p50_ns * 1.1, p50_ns * 1.5, p50_ns * 40, p50_ns * 1.05)
    return OperationCost(times, 1e9 / p50_ns, spread([p50_ns, p50_ns * 1.02]))


def results(request: MeasureRequest) -> Iterator[CellResult]:
    """Yield a result per map and operation, and a map type that the kernel does not have."""
    for number, kind in enumerate(request.kinds):
        entries = request.entries[0]
        population = round(entries * request.fills_pct[0] / 100)
        key_bytes = default_key_bytes(KINDS[kind])
        shape = Geometry(KINDS[kind].type, 0, entries, key_bytes, request.value_bytes[0], population, kind)
        for place, operation in enumerate(OPERATIONS):
            access = WALK if operation in WALKS else request.accesses[0]
            for batch in (request.batches or (16, 256)) if operation in SINGLE_OF else (None,):
                cell = Cell(shape, operation, access, batch, request.threads[0])
                if kind.endswith("array") and operation in ("update_new", "delete", "delete_batch"):
                    yield CellResult(cell, None, "not in this kernel (ENOTSUPP)", None, "", 0, 0)
                    continue
                p50_ns = (90.0 if batch == 16 else 40.0 if batch else 170.0) + 10 * number + place
                inside = None if batch else some_cost(p50_ns / 20)
                why = "user space only" if batch else ""
                yield CellResult(cell, some_cost(p50_ns), "", inside, why, 20_000 + place, 0)


@dataclass
class CannedRun:
    """Between two results there is progress, as in the real one."""

    engine: CannedMaps
    request: MeasureRequest
    stop: Stop

    @property
    def earlier(self) -> tuple[StoredRun, ...]:
        then = {name: {"user_p50_ns": 160.0} for name in figures(results(self.request))}
        return (StoredRun("2026-01-01T03:00:00.000Z", "6.18.0", False, then),)

    def steps(self) -> Generator[Progress[CellResult], None, None]:
        cells = list(results(self.request))
        for step, result in enumerate(cells):
            share = (step + 0.5) / len(cells)
            batch = "" if result.cell.batch is None else f" of {result.cell.batch}"
            task = f"{result.cell.geometry.kind} {result.cell.operation}{batch}"
            yield Progress(share, 4 * (1 - share), task)
            self.engine.held.wait(step, self.stop)
            if self.stop.is_set():
                return
            yield Progress(share, 4 * (1 - share), task, result)

    def report(self) -> MapReport:
        plan = MeasurePlan(self.request, (), (), 2)
        return MapReport(MACHINE, 0, 0.0, False, tuple(results(self.request)), plan, 0.0, 1, {}, (VERDICT,))

    def store(self) -> None:
        self.engine.kept += 1


@dataclass
class CannedMaps:
    """In place of ``MapEngine``."""

    held: Held = field(default_factory=Held)
    refusal: BpftopError | None = None
    requests: list[MeasureRequest] = field(default_factory=list)
    copied: list[str] = field(default_factory=list)
    kept: int = 0

    def cpus(self) -> int:
        return 6

    def expected_s(self, request: MeasureRequest) -> float | None:
        return 4.0

    def profile(self, request: MeasureRequest, stop: Stop) -> CannedRun:
        self.requests.append(request)
        if self.refusal is not None:
            raise self.refusal
        return CannedRun(self, request, stop)

    def profile_copy(self, request: MeasureRequest, stop: Stop, map_id: str) -> CannedRun:
        self.copied.append(map_id)
        return self.profile(request, stop)


@dataclass(frozen=True)
class CannedSuite(Suite):
    """A suite of the list; ``CannedComparison`` has its tables."""

    expected_s: float = 0.0

    def contestants(self) -> Iterator[tuple[str, str]]:
        raise AssertionError("no pane lists contestants")

    def load(self, stack: ExitStack, stop: Stop) -> Iterator[Contestant | Skipped]:
        raise AssertionError("nothing is measured")

    def verdict(self, rows: Sequence[ProgramRow]) -> str:
        raise AssertionError("nothing was measured")


SUITES = (
    CannedSuite("counters", "One protocol counter, written in several ways", 3.9),
    CannedSuite("spills", "Registers against stack spills", 0.4),
    CannedSuite("helpers", "What one call of each helper costs", 1.0),
)
TABLES = {
    "counters": (("naive", 7.1, 20.4), ("hash-atomic", 13.8, 55.9), ("percpu-array", 2.5, 2.53), ("bpftop", 8.9, 9.0)),
    "spills": (("registers", 1.25, None), ("stack spills", 2.75, None)),
    "helpers": (("get_smp_processor_id", 0.31, None), ("ktime_get_ns", 18.9, None)),
}


def table(name: str, *, partial: bool = False) -> SuiteTable:
    rows = tuple(
        ProgramRow(
            contestant,
            f"what {contestant} does, said in so many words that they do not all fit on one line of a small screen",
            (cost(1, [ns, ns * 1.02], [0, 0]),)
            if many_ns is None
            else (
                cost(1, [ns, ns * 1.02], [0, 0], CountedRuns(1000, 1000)),
                cost(2, [many_ns, many_ns * 1.2], [0, 0], CountedRuns(2000, 1900 if contestant == "naive" else 2000)),
            ),
            None if many_ns is None else Size(60, 300),
        )
        for contestant, ns, many_ns in TABLES[name]
    )
    title = next(suite.title for suite in SUITES if suite.name == name)
    verdict = "" if partial else f"{rows[-1].name} wins by far, and this sentence says by how much and for what reason."
    skipped = (Skipped("send_signal", "not in this kernel (EINVAL)"),) if name == "helpers" else ()
    budget = XDP_BUDGET if name == "counters" else None
    return SuiteTable(
        name, title, "body", rows, rows[0].name, verdict, skipped, "an empty body: 1.20 ns", budget, partial
    )


@dataclass
class CannedSuites:
    """In place of ``SuiteEngine``."""

    held: Held = field(default_factory=Held)
    refusal: BpftopError | None = None
    asked: list[tuple[str, ...]] = field(default_factory=list)

    def suites(self) -> tuple[Suite, ...]:
        return SUITES

    def compare(self, names: Sequence[str], stop: Stop) -> CannedComparison:
        self.asked.append(tuple(names))
        if self.refusal is not None:
            raise self.refusal
        return CannedComparison(self, names, stop)


@dataclass
class CannedComparison:
    """A comparison of these suites; one of its rows is noisy."""

    engine: CannedSuites
    names: Sequence[str]
    stop: Stop

    def steps(self) -> Generator[Progress[SuiteTable], None, None]:
        for step, name in enumerate(self.names):
            share = (step + 0.5) / len(self.names)
            yield Progress(share, 6 * (1 - share), name, table(name, partial=True))
            self.engine.held.wait(step, self.stop)
            if self.stop.is_set():
                return
            yield Progress((step + 1) / len(self.names), 6 * (1 - share), name, table(name))

    def report(self) -> ProgramReport:
        return NoisyReport(
            MACHINE,
            0,
            0.0,
            False,
            (),
            Conditions(2, None, None, None),
        )


class NoisyReport(ProgramReport):
    @property
    def warnings(self) -> Iterator[str]:
        yield "the machine was noisy: 1 of 8 rows spread by more than 10 %; let nothing else run and try again"
