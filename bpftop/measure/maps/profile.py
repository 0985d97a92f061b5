"""Profile of map operations: measures the cells of a plan, from user space and inside the kernel."""

from __future__ import annotations

import errno
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import groupby
from operator import attrgetter

from bpftop.kernel.bpf import bpf_map
from bpftop.kernel.check import ENOTSUPP, KernelError
from bpftop.kernel.measure import loops
from bpftop.kernel.measure.loops import TICKS_PER_NS, WRONG_VALUE, Outcome, Start
from bpftop.kernel.measure.program_loop import WALK_MAX
from bpftop.kernel.privileges import Privileges
from bpftop.measure import run_store
from bpftop.measure.api import Progress, RunClock, Stop
from bpftop.measure.machine import machine
from bpftop.measure.maps.in_kernel import InKernel
from bpftop.measure.maps.plan import INSIDE_SHARE, WRITES, Cell, MeasurePlan
from bpftop.measure.maps.results import CellResult, MapReport, OperationCost, figures
from bpftop.measure.maps.run_totals import RunTotals
from bpftop.measure.maps.scratch import Scratch
from bpftop.measure.pinned_threads import on_cpu, run_pinned
from bpftop.model.timestamps import rfc3339

Step = Progress[CellResult]

_STORED_AS = "profile"

# Errors that mean a shortage in the kernel, not a wrong result.
_SHORTAGES = frozenset({errno.ENOMEM, errno.E2BIG, errno.EBUSY, errno.EAGAIN, errno.EINTR})


@dataclass(frozen=True)
class _SideResult:
    """Result of a cell on one side: from user space, or inside the kernel."""

    cost: OperationCost | None = None
    why: str = ""
    checked: int = 0
    missed: int = 0
    grown_to: int | None = None


class MapProfile:
    """A run (bpftop.measure.api.MeasurementRun) of all cells of a plan. A stop ends it within one map operation."""

    def __init__(self, plan: MeasurePlan, stop: Stop | None = None) -> None:
        self.plan = plan
        self.stop = stop or Stop()
        self.machine = machine(plan.possible_cpus)
        self._results: list[CellResult] = []
        self._clock = RunClock(plan.expected_s)
        self._took_s: float | None = None
        self._done_s = 0.0
        self._clock_ticks, self._clock_step_ns = 0, 1
        self._complete = False

    @cached_property
    def earlier(self) -> tuple[run_store.StoredRun, ...]:
        """Earlier profiles on this machine, the latest first."""
        return run_store.load(_STORED_AS, self.machine.machine_id)

    def report(self) -> MapReport:
        return MapReport(
            self.machine,
            self._clock.begun_ns,
            self._clock.took_s if self._took_s is None else self._took_s,
            not self._complete,
            tuple(self._results),
            self.plan,
            self._clock_ticks / TICKS_PER_NS,
            self._clock_step_ns,
            run_store.changes(figures(self._results), self.earlier),
        )

    def store(self) -> None:
        """Store the medians for the next profile to compare with. Raises BpftopError with the reason."""
        if self._results:
            taken_at = rfc3339(self._clock.begun_ns)
            run = run_store.StoredRun(taken_at, self.machine.kernel, not self._complete, figures(self._results))
            run_store.save(_STORED_AS, self.machine.machine_id, run)

    def steps(self) -> Generator[Step, None, None]:
        """Measure. Raises KernelError if a map cannot be made, WrongValue, after which all results are worthless."""
        try:
            cpu = self.plan.pinned(1)[0]
            self._clock_ticks = on_cpu(cpu, self.stop, loops.clock_ticks)
            self._clock_step_ns = on_cpu(cpu, self.stop, loops.clock_step_ns)
            for geometry, cells in groupby(self.plan.cells, attrgetter("geometry")):
                if self.stop.is_set():
                    return
                with Scratch(geometry, self.plan, self.stop) as scratch:
                    yield from self._map(scratch, list(cells))
            self._complete = not self.stop.is_set()
        finally:
            self._took_s = self._clock.took_s

    def _map(self, scratch: Scratch, cells: Sequence[Cell]) -> Iterator[Step]:
        in_kernel: InKernel | None = None
        refused = ""
        try:
            in_kernel = InKernel(scratch, max(cell.threads for cell in cells))
        except KernelError as error:
            refused = str(error)
        try:
            for cell in cells:
                if self.stop.is_set():
                    return
                lacking = _lacking(scratch, cell)
                user = _SideResult(why=lacking) if lacking else (yield from self._from_user_space(scratch, cell))
                self._done_s += 0 if user.cost else self.plan.user_s
                if not cell.inside:
                    inside = _SideResult(why="user space only")
                elif in_kernel is None or lacking:
                    inside = _SideResult(why=lacking or refused)
                else:
                    inside = yield from self._inside(scratch, in_kernel, cell)
                self._done_s += 0 if inside.cost or not cell.inside else self.plan.inside_s
                if self.stop.is_set() and user.cost is None:
                    return
                yield self._progress(cell, result=self._add(cell, user, inside))
        finally:
            if in_kernel is not None:
                in_kernel.close()

    def _from_user_space(self, scratch: Scratch, cell: Cell) -> Generator[Step, None, _SideResult]:
        team = scratch.loops(cell)
        cpus = self.plan.pinned(cell.threads)
        totals = RunTotals(self._clock_step_ns / (cell.batch or 1))
        for _ in range(self.plan.request.runs):
            start, generation = Start(len(team)), scratch.generation()
            run_ns = self.plan.request.run_ms * 1_000_000
            work = [partial(loop.run, start, run_ns, self._clock_ticks, generation) for loop in team]
            outcomes = run_pinned(work, cpus, self.stop, start.give_up)
            why = self._fault(scratch, cell, outcomes, "from user space")
            if why:
                return _SideResult(why=why)
            if self.stop.is_set():
                break
            totals.add(outcomes)
            yield self._progress(cell, self.plan.user_s / self.plan.request.runs)
        checked, missed = self._settle(scratch, cell)
        grown_to = None if cell.batch in (None, totals.batch) else totals.batch
        return _SideResult(totals.cost(), "", totals.checked + checked, totals.missed + missed, grown_to)

    def _inside(self, scratch: Scratch, in_kernel: InKernel, cell: Cell) -> Generator[Step, None, _SideResult]:
        try:
            team = in_kernel.team(cell)
        except KernelError as error:
            return _SideResult(why=_refusal(error, cell))
        totals = RunTotals(self._clock_step_ns / team.each)
        for _ in range(self.plan.request.runs):
            if self.stop.is_set():
                break
            outcomes = team.run(int(self.plan.request.run_ms * INSIDE_SHARE * 1e6))
            why = self._fault(scratch, cell, outcomes, "in a program")
            if why:
                return _SideResult(why=why)
            if not self.stop.is_set():
                totals.add(outcomes)
                yield self._progress(cell, self.plan.inside_s / self.plan.request.runs)
        checked, missed = (0, 0) if self.stop.is_set() or cell.operation not in WRITES else team.verify()
        if cell.operation in WRITES:
            scratch.fill(again=scratch.geometry.per_cpu)
        return _SideResult(totals.cost(), "", totals.checked + checked, totals.missed + missed)

    def _settle(self, scratch: Scratch, cell: Cell) -> tuple[int, int]:
        """After an operation that writes, read all keys back and insert missing keys. Return (checked, missed)."""
        if cell.operation not in WRITES or self.stop.is_set():
            return 0, 0
        counts = scratch.verify()
        scratch.fill()
        return counts

    def _fault(self, scratch: Scratch, cell: Cell, outcomes: Sequence[Outcome], where: str) -> str:
        """Return why the cell cannot be measured; empty if it can. Raises WrongValue."""
        for fault in (outcome.fault for outcome in outcomes if outcome.fault is not None):
            if fault.errno == ENOTSUPP:
                return "not in this kernel (ENOTSUPP)"
            if fault.errno not in _SHORTAGES or fault.errno == WRONG_VALUE:
                scratch.blame(f"{cell.operation} {where}", fault)
            scratch.fill(again=True)
            return fault.sentence()
        return ""

    def _add(self, cell: Cell, user: _SideResult, inside: _SideResult) -> CellResult:
        checked, missed = user.checked + inside.checked, user.missed + inside.missed
        result = CellResult(
            cell,
            user.cost,
            user.why,
            inside.cost,
            inside.why,
            checked,
            missed,
            user.grown_to,
            tuple(_notes(cell, missed)),
        )
        self._results.append(result)
        return result

    def _progress(self, cell: Cell, done_s: float = 0.0, result: CellResult | None = None) -> Step:
        self._done_s += done_s
        batch = "" if cell.batch is None else f" of {cell.batch}"
        return self._clock.progress(self._done_s, f"{cell.geometry.kind} {cell.operation}{batch}", result)


def _lacking(scratch: Scratch, cell: Cell) -> str:
    """Return why an array lacks an operation, after trying the operation on an existing key; empty otherwise."""
    if not scratch.geometry.is_array or cell.operation not in ("update_new", "delete"):
        return ""
    key = scratch.subject.key(0)
    try:
        if cell.operation == "delete":
            scratch.map.delete(key)
        else:
            scratch.map.update(key, bytes(scratch.subject.value_bytes()), bpf_map.NOEXIST)
    except KernelError as error:
        return f"entries of an array are always there ({error.errno_name})"
    raise AssertionError("the kernel deleted from an array, or made an entry anew")


def _refusal(error: KernelError, cell: Cell) -> str:
    """Return why a cell cannot be measured inside the kernel. A missing capability can give several errnos."""
    missing = Privileges.read().missing_to_load()
    if missing:
        return f"programs need {' and '.join(missing)}, too ({error.errno_name})"
    what = "bpf_for_each_map_elem" if cell.operation == "get_next_key" else cell.operation
    return f"no {what} in programs ({error.errno_name})"


def _notes(cell: Cell, missed: int) -> Iterator[str]:
    if missed:
        yield f"{missed} times a key had been evicted"
    if cell.operation == "get_next_key" and cell.geometry.population > WALK_MAX:
        yield f"in the kernel: the first {WALK_MAX} entries, again and again, because a walk runs with softirqs off"
