"""Runs of a cell, one at a time, so that the runs of all cells can alternate."""

from __future__ import annotations

import errno
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from bpftop.errors import ENOTSUPP
from bpftop.kernel.bpf import bpf_map
from bpftop.kernel.measure.loops import TICKS_PER_NS, WRONG_VALUE, Loop, Outcome, Start, Times
from bpftop.kernel.measure.program_loop import WALK_MAX
from bpftop.kernel.privileges import Privileges
from bpftop.kernel.return_code import KernelError
from bpftop.measure.maps.kernel_costs import InKernel
from bpftop.measure.maps.plan import INSIDE_SHARE, WRITES, Cell
from bpftop.measure.maps.results import CellResult, OperationCost
from bpftop.measure.maps.scratch_map import Scratch
from bpftop.measure.pinned_threads import run_pinned
from bpftop.measure.statistics import Histogram, spread


class RunTotals:
    """Sums of the outcomes of all threads. ``resolution_ns`` is the resolution of a time per entry."""

    def __init__(self, resolution_ns: float) -> None:
        self.resolution_ns = resolution_ns
        self._all = Histogram()
        self._medians_ns: list[float] = []
        self._by_thread: dict[int, tuple[int, int]] = {}
        self.checked = self.missed = self.singles = 0
        self.batch = 0

    @property
    def runs(self) -> int:
        return len(self._medians_ns)

    def add(self, outcomes: Sequence[Outcome]) -> None:
        run = Histogram()
        for thread, outcome in enumerate(outcomes):
            times = outcome.times
            run.merge(histogram(times))
            entries, ticks = self._by_thread.get(thread, (0, 0))
            self._by_thread[thread] = entries + times.entries, ticks + times.ticks
            self.checked += outcome.checked
            self.missed += outcome.missed
            self.singles += outcome.singles
            self.batch = max(self.batch, outcome.batch)
        summary = run.summary(self.resolution_ns)
        if summary is not None:  # else the run was too short for a single call
            self._medians_ns.append(summary.p50_ns)
            self._all.merge(run)

    def cost(self) -> OperationCost | None:
        """Return the cost; None without a measured time."""
        summary = self._all.summary(self.resolution_ns)
        if summary is None:
            return None
        # At least a tick (1/16 ns) per entry: the loop itself hides a cheaper operation.
        per_sec = sum(entries / max(ticks, entries) for entries, ticks in self._by_thread.values()) * TICKS_PER_NS * 1e9
        return OperationCost(summary, per_sec, spread(self._medians_ns), self.resolution_ns)


def histogram(times: Times) -> Histogram:
    """Convert the times of a run to nanoseconds."""
    return Histogram(times.counts, times.ticks / TICKS_PER_NS, times.entries, times.max_ticks / TICKS_PER_NS)


# Errors that mean a shortage in the kernel, not a wrong result.
_SHORTAGES = frozenset({errno.ENOMEM, errno.E2BIG, errno.EBUSY, errno.EAGAIN, errno.EINTR})

_CLOCK_READINGS = 2
"""Readings of the clock in a time inside the kernel: the run of the operation, and the run without it."""


@dataclass(frozen=True)
class ClockTraits:
    """Ticks that reading the clock adds to a time, and the resolution of the clock."""

    ticks: int = 0
    step_ns: int = 1


class CellTurns:
    """A cell of a scratch map. A turn is one run from user space, or one run inside the kernel.

    Other cells may use the map between two turns; after a turn every key is in the map again. ``in_kernel`` is None if
    the kernel refuses programs, for the reason ``refused``.
    """

    def __init__(self, scratch: Scratch, in_kernel: InKernel | None, refused: str, cell: Cell, clock: ClockTraits):
        self.cell = cell
        self._scratch, self._in_kernel, self._clock = scratch, in_kernel, clock
        self._loops: list[Loop] = []
        self._user = RunTotals(clock.step_ns / (cell.batch or 1))
        self._inside = RunTotals(0.0)
        self._read_back = self._evicted = 0
        lacking = _lacking(scratch, cell)
        self._user_why = lacking
        self._inside_why = (lacking or refused) if cell.inside else "user space only"

    @property
    def measured(self) -> bool:
        """Return True if the cell has a time, or a reason for having none."""
        return bool(self._user.runs or self._inside.runs or self._user_why)

    def result(self) -> CellResult:
        """Return the result of all turns until now."""
        user, inside = self._user, self._inside
        missed = user.missed + inside.missed + self._evicted
        return CellResult(
            self.cell,
            None if self._user_why else user.cost(),
            self._user_why,
            None if self._inside_why else inside.cost(),
            self._inside_why,
            user.checked + inside.checked + self._read_back,
            missed,
            None if self._user_why or self.cell.batch in (None, user.batch) else user.batch,
            tuple(_notes(self.cell, missed)),
        )

    def user_turn(self, last: bool) -> None:
        """Run once from user space. After the ``last`` run of an operation that writes, read all keys back.

        Raises WrongValue.
        """
        if self._user_why:
            return
        scratch, cell, stop = self._scratch, self.cell, self._scratch.stop
        if not self._loops:
            self._loops = scratch.loops(cell)
        start, generation = Start(len(self._loops)), scratch.generation()
        run_ns = scratch.plan.request.run_ms * 1_000_000
        for loop in self._loops:
            loop.resume()
        work = [partial(loop.run, start, run_ns, self._clock.ticks, generation) for loop in self._loops]
        outcomes = run_pinned(work, scratch.plan.pinned(cell.threads), stop, start.give_up)
        self._user_why = self._fault(outcomes, "from user space")
        if stop.is_set() or self._user_why:
            return
        self._user.add(outcomes)
        if cell.operation in WRITES:
            if last:
                self._note_verified(*scratch.verify())
            scratch.fill()

    def inside_turn(self, last: bool) -> None:
        """Run once inside the kernel, as ``user_turn`` does from user space. Raises WrongValue."""
        if self._inside_why or self._in_kernel is None:
            return
        scratch, cell, stop = self._scratch, self.cell, self._scratch.stop
        try:
            team = self._in_kernel.team(cell)
        except KernelError as error:
            self._inside_why = _refusal(error, cell)
            return
        self._inside.resolution_ns = max(_CLOCK_READINGS * self._clock.step_ns / team.each, 1 / TICKS_PER_NS)
        outcomes = team.run(int(scratch.plan.request.run_ms * INSIDE_SHARE * 1e6))
        self._inside_why = self._fault(outcomes, "in a program")
        if not stop.is_set() and not self._inside_why:
            self._inside.add(outcomes)
            if last and cell.operation in WRITES:
                self._note_verified(*team.verify())
        if cell.operation in WRITES:
            scratch.fill(again=scratch.geometry.per_cpu)

    def _note_verified(self, checked: int, missed: int) -> None:
        self._read_back += checked
        self._evicted += missed

    def _fault(self, outcomes: Sequence[Outcome], where: str) -> str:
        """Return why the cell cannot be measured; empty if it can. Raises WrongValue."""
        for fault in (outcome.fault for outcome in outcomes if outcome.fault is not None):
            if fault.errno == ENOTSUPP:
                return "not in this kernel (ENOTSUPP)"
            if fault.errno not in _SHORTAGES or fault.errno == WRONG_VALUE:
                self._scratch.blame(f"{self.cell.operation} {where}", fault)
            self._scratch.fill(again=True)
            return fault.sentence()
        return ""


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
