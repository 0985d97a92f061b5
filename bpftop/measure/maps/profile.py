"""Map operations, measured: a plan in, results as they come, progress between them. Nothing is printed or attached."""

from __future__ import annotations

import errno
import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from operator import attrgetter

from bpftop.kernel.bpf import bpf_map
from bpftop.kernel.bpf.bpf_map import Stop
from bpftop.kernel.check import ENOTSUPP, KernelError
from bpftop.kernel.measure import loops
from bpftop.kernel.measure.loops import TICKS_PER_NS, WRONG_VALUE, Outcome, Start
from bpftop.kernel.measure.loops_inside import WALK_MAX
from bpftop.kernel.privileges import Privileges
from bpftop.measure.maps.in_kernel import InKernel
from bpftop.measure.maps.plan import INSIDE_SHARE, WRITES, Cell, MeasurePlan
from bpftop.measure.maps.results import CellResult, MeasureProgress, OperationCost, Profile
from bpftop.measure.maps.run_totals import Tally
from bpftop.measure.maps.scratch import Scratch
from bpftop.measure.pinned_threads import on_cpu, run_pinned

Event = MeasureProgress | CellResult

# The kernel was short of something: that is no wrong answer.
_SHORT_OF = frozenset({errno.ENOMEM, errno.E2BIG, errno.EBUSY, errno.EAGAIN, errno.EINTR})


@dataclass(frozen=True)
class _Side:
    """What one side of a cell came to."""

    cost: OperationCost | None = None
    why: str = ""
    checked: int = 0
    missed: int = 0
    grown_to: int | None = None


class MapProfile:
    """One run of a plan.

    ``events`` yields results as they come and progress between them; ``stop.set()``, from any thread, ends it within
    one map operation. Whatever ends it, maps and programs are gone when ``events`` has ended, and ``profile`` has all
    results so far.
    """

    def __init__(self, plan: MeasurePlan, stop: Stop | None = None) -> None:
        self.plan = plan
        self.stop = stop or Stop()
        self._results: list[CellResult] = []
        self._wall_ns = time.time_ns()
        self._begun_s = time.monotonic()
        self._ended_s: float | None = None
        self._done_s = 0.0
        self._clock_ticks, self._clock_step_ns = 0, 1
        self._complete = False

    def profile(self) -> Profile:
        """All there is by now."""
        took_s = (self._ended_s or time.monotonic()) - self._begun_s
        clock_ns = self._clock_ticks / TICKS_PER_NS
        results = tuple(self._results)
        return Profile(self.plan, self._wall_ns, took_s, clock_ns, self._clock_step_ns, not self._complete, results)

    def events(self) -> Iterator[Event]:
        """Measure. Raises KernelError (a map cannot be made), WrongValue (a map gave what was not written to it)."""
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
            self._ended_s = time.monotonic()

    def _map(self, scratch: Scratch, cells: Sequence[Cell]) -> Iterator[Event]:
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
                user = _Side(why=lacking) if lacking else (yield from self._from_user_space(scratch, cell))
                self._done_s += 0 if user.cost else self.plan.user_s
                if not cell.inside:
                    inside = _Side(why="user space only")
                elif in_kernel is None or lacking:
                    inside = _Side(why=lacking or refused)
                else:
                    inside = yield from self._inside(scratch, in_kernel, cell)
                self._done_s += 0 if inside.cost or not cell.inside else self.plan.inside_s
                if self.stop.is_set() and user.cost is None:
                    return
                yield self._keep(cell, user, inside)
                yield self._progress(cell)
        finally:
            if in_kernel is not None:
                in_kernel.close()

    def _from_user_space(self, scratch: Scratch, cell: Cell) -> Generator[Event, None, _Side]:
        team = scratch.loops(cell)
        cpus = self.plan.pinned(cell.threads)
        tally = Tally(self._clock_step_ns / (cell.batch or 1))
        for _ in range(self.plan.wish.runs):
            start, generation = Start(len(team)), scratch.generation()
            run_ns = self.plan.wish.run_ms * 1_000_000
            work = [partial(loop.run, start, run_ns, self._clock_ticks, generation) for loop in team]
            outcomes = run_pinned(work, cpus, self.stop, start.give_up)
            why = self._fault(scratch, cell, outcomes, "from user space")
            if why:
                return _Side(why=why)
            if self.stop.is_set():
                break
            tally.add(outcomes)
            yield self._progress(cell, self.plan.user_s / self.plan.wish.runs)
        checked, missed = self._settle(scratch, cell)
        grown_to = None if cell.batch in (None, tally.batch) else tally.batch
        return _Side(tally.cost(), "", tally.checked + checked, tally.missed + missed, grown_to)

    def _inside(self, scratch: Scratch, in_kernel: InKernel, cell: Cell) -> Generator[Event, None, _Side]:
        try:
            team = in_kernel.team(cell)
        except KernelError as error:
            return _Side(why=_refusal(error, cell))
        tally = Tally(self._clock_step_ns / team.each)
        for _ in range(self.plan.wish.runs):
            if self.stop.is_set():
                break
            outcomes = team.run(int(self.plan.wish.run_ms * INSIDE_SHARE * 1e6))
            why = self._fault(scratch, cell, outcomes, "in a program")
            if why:
                return _Side(why=why)
            if not self.stop.is_set():
                tally.add(outcomes)
                yield self._progress(cell, self.plan.inside_s / self.plan.wish.runs)
        checked, missed = (0, 0) if self.stop.is_set() or cell.operation not in WRITES else team.verify()
        if cell.operation in WRITES:
            scratch.fill(again=scratch.geometry.per_cpu)
        return _Side(tally.cost(), "", tally.checked + checked, tally.missed + missed)

    def _settle(self, scratch: Scratch, cell: Cell) -> tuple[int, int]:
        """Read everything back after an operation that writes, and write again what is missing then."""
        if cell.operation not in WRITES or self.stop.is_set():
            return 0, 0
        found = scratch.verify()
        scratch.fill()
        return found

    def _fault(self, scratch: Scratch, cell: Cell, outcomes: Sequence[Outcome], where: str) -> str:
        """Why the cell cannot be measured; empty where it can. Raises WrongValue."""
        for fault in (outcome.fault for outcome in outcomes if outcome.fault is not None):
            if fault.errno == ENOTSUPP:
                return "not in this kernel (ENOTSUPP)"
            if fault.errno not in _SHORT_OF or fault.errno == WRONG_VALUE:
                scratch.blame(f"{cell.operation} {where}", fault)
            scratch.fill(again=True)
            return fault.sentence()
        return ""

    def _keep(self, cell: Cell, user: _Side, inside: _Side) -> CellResult:
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

    def _progress(self, cell: Cell, done_s: float = 0.0) -> MeasureProgress:
        self._done_s += done_s
        total_s = self.plan.expected_s
        took_s = time.monotonic() - self._begun_s
        left_s = max(0.0, total_s - self._done_s) * took_s / self._done_s
        return MeasureProgress(cell, min(1.0, self._done_s / total_s), left_s)


def _lacking(scratch: Scratch, cell: Cell) -> str:
    """What arrays do not have, in the kernel's words: asked with a key that is there."""
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
    """Why a cell cannot be measured inside the kernel: a capability that is missing has several faces (errnos)."""
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
