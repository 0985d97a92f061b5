"""Profile of map operations: measures the cells of a plan, from user space and inside the kernel."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack
from functools import cached_property
from itertools import groupby
from operator import attrgetter

from bpftop.kernel.measure import loops
from bpftop.kernel.measure.loops import TICKS_PER_NS
from bpftop.kernel.return_code import KernelError
from bpftop.measure import run_store
from bpftop.measure.api import Progress, RunClock, Stop
from bpftop.measure.machine import machine
from bpftop.measure.maps.cell_turns import CellTurns, ClockTraits
from bpftop.measure.maps.kernel_costs import InKernel
from bpftop.measure.maps.plan import Cell, MeasurePlan
from bpftop.measure.maps.results import CellResult, MapReport, WrongValue, figures
from bpftop.measure.maps.scratch_map import Scratch
from bpftop.measure.maps.verdict import verdict
from bpftop.measure.pinned_threads import on_cpu
from bpftop.model.timestamps import rfc3339

Step = Progress[CellResult]

_STORED_AS = "profile"


class MapProfile:
    """A run (bpftop.measure.api.MeasurementRun) of all cells of a plan. A stop ends it within one map operation.

    The runs of a cell are a round apart: each round goes round all cells, of all maps that fit into the memory limit
    together, so that the spread of the runs shows how the machine changes. A result comes again after each round.
    """

    def __init__(self, plan: MeasurePlan, stop: Stop | None = None) -> None:
        self.plan = plan
        self.stop = stop or Stop()
        self.machine = machine(plan.possible_cpus)
        self._results: dict[Cell, CellResult] = {}
        self._progress_clock = RunClock(plan.expected_s)
        self._took_s: float | None = None
        self._done_s = 0.0
        self._clock = ClockTraits()
        self._complete = False

    @cached_property
    def earlier(self) -> tuple[run_store.StoredRun, ...]:
        """Earlier profiles on this machine, the latest first."""
        return run_store.load(_STORED_AS, self.machine.machine_id)

    def report(self) -> MapReport:
        results = tuple(self._results.values())
        return MapReport(
            self.machine,
            self._progress_clock.begun_ns,
            self._progress_clock.took_s if self._took_s is None else self._took_s,
            not self._complete,
            results,
            self.plan,
            self._clock.ticks / TICKS_PER_NS,
            self._clock.step_ns,
            run_store.changes(figures(results), self.earlier),
            verdict(self.plan, results),
        )

    def store(self) -> None:
        """Store the medians for the next profile to compare with. Raises BpftopError with the reason."""
        if self._results:
            taken_at = rfc3339(self._progress_clock.begun_ns)
            medians = figures(self._results.values())
            run = run_store.StoredRun(taken_at, self.machine.kernel, not self._complete, medians)
            run_store.save(_STORED_AS, self.machine.machine_id, run)

    def steps(self) -> Generator[Step, None, None]:
        """Measure. Raises KernelError if a map cannot be made, WrongValue, after which all results are worthless."""
        try:
            cpu = self.plan.pinned(1)[0]
            ticks, step_ns = on_cpu(cpu, self.stop, lambda: (loops.clock_ticks(), loops.clock_step_ns()))
            self._clock = ClockTraits(ticks, step_ns)
            for maps in _groups(self.plan):
                with ExitStack() as stack:
                    turns = [each for cells in maps for each in self._opened(stack, cells)]
                    yield from self._rounds(turns)
            self._complete = not self.stop.is_set()
        except WrongValue:
            self._results.clear()
            raise
        finally:
            self._took_s = self._progress_clock.took_s

    def _opened(self, stack: ExitStack, cells: Sequence[Cell]) -> Iterator[CellTurns]:
        """Make the map of the cells, which ``stack`` frees, and yield the cells ready to run."""
        if self.stop.is_set():
            return
        scratch = stack.enter_context(Scratch(cells[0].geometry, self.plan, self.stop))
        in_kernel: InKernel | None = None
        refused = ""
        try:
            in_kernel = InKernel(scratch, max(cell.threads for cell in cells))
            stack.callback(in_kernel.close)
        except KernelError as error:
            refused = str(error)
        for cell in cells:
            yield CellTurns(scratch, in_kernel, refused, cell, self._clock)

    def _rounds(self, turns: Sequence[CellTurns]) -> Iterator[Step]:
        runs = self.plan.request.runs
        for number in range(1, runs + 1):
            for each in turns:
                if self.stop.is_set():
                    return
                each.user_turn(last=number == runs)
                yield self._progress(each.cell, self.plan.user_s / runs)
                if not self.stop.is_set():
                    each.inside_turn(last=number == runs)
                if each.measured:
                    result = self._results[each.cell] = each.result()
                    yield self._progress(each.cell, self.plan.inside_s / runs * each.cell.inside, result)

    def _progress(self, cell: Cell, done_s: float, result: CellResult | None = None) -> Step:
        self._done_s += done_s
        batch = "" if cell.batch is None else f" of {cell.batch}"
        return self._progress_clock.progress(self._done_s, f"{cell.geometry.kind} {cell.operation}{batch}", result)


def _groups(plan: MeasurePlan) -> Iterator[list[list[Cell]]]:
    """Yield the cells by map, in groups of maps that fit into the memory limit together."""
    group: list[list[Cell]] = []
    group_bytes = 0
    for geometry, cells in groupby(plan.cells, attrgetter("geometry")):
        map_bytes = geometry.memory_bytes(plan.possible_cpus)
        if group and group_bytes + map_bytes > plan.request.memory_limit_bytes:
            yield group
            group, group_bytes = [], 0
        group.append(list(cells))
        group_bytes += map_bytes
    yield group
