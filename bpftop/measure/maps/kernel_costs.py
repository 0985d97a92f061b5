"""Costs inside the kernel: the operations run in BPF programs under BPF_PROG_TEST_RUN."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from bpftop.kernel.measure.loops import Loop, Outcome, Start
from bpftop.kernel.measure.program_loop import STEPS_MAX, ProgramLoop, ProgramLoops
from bpftop.measure.maps.plan import OPERATIONS, Cell
from bpftop.measure.maps.scratch_map import Scratch
from bpftop.measure.pinned_threads import run_pinned

_ORDER_MIN, _ORDER_MAX = 1 << 12, 1 << 18

# A program runs with softirqs off. At about 100 ns per operation and 8 bytes of value copied per ns, a run stays below
# 50 µs, and many operations share the 30 ns that a run itself costs.
_RUN_NS, _OPERATION_NS, _COPIED_BYTES_PER_NS = 25_000, 100, 8
_EACH_MIN = 8


class InKernel:
    """Programs and their maps for one scratch map. Raises KernelError if the kernel refuses programs."""

    def __init__(self, scratch: Scratch, threads: int) -> None:
        self._scratch = scratch
        self._loops: dict[Cell, list[Loop]] = {}
        population = scratch.geometry.population
        self._each = max(
            _EACH_MIN, int(_RUN_NS / (_OPERATION_NS + scratch.geometry.value_bytes / _COPIED_BYTES_PER_NS))
        )
        each_order = min(max(_ORDER_MIN, 1 << (population - 1).bit_length()), _ORDER_MAX)
        self._inside = ProgramLoops(scratch.subject, threads * max(each_order, population // threads))

    def close(self) -> None:
        self._inside.close()

    def team(self, cell: Cell) -> Team:
        """Return the threads of a cell, ready for one run, since all cells share the programs and their maps.

        Raises KernelError if programs cannot do the operation.
        """
        scratch = self._scratch
        each = self._each
        if cell.operation != "get_next_key":
            each = min(each, STEPS_MAX, scratch.geometry.population // cell.threads)
        if cell not in self._loops:
            team = [Loop(scratch.subject, OPERATIONS[cell.operation]) for _ in range(cell.threads)]
            if cell.operation != "get_next_key":
                scratch.on_cpu(lambda: scratch.send(cell, team, _ORDER_MIN, _ORDER_MAX, each))
            self._loops[cell] = team
        team = self._loops[cell]
        for loop in team:
            loop.resume()
        generation = scratch.generation()
        cpus = scratch.plan.pinned(cell.threads)
        members = scratch.on_cpu(lambda: self._inside.team(team, cpus, each, generation))
        run_pinned([member.calibrate for member in members], cpus, scratch.stop)
        return Team(scratch, members, cpus, generation, each)


class Team:
    """Threads of a cell. A program run does ``each`` operations, and their mean is one measured time."""

    def __init__(
        self, scratch: Scratch, members: Sequence[ProgramLoop], cpus: Sequence[int], generation: int, each: int
    ) -> None:
        self.each = each
        self._scratch, self._members, self._cpus, self._generation = scratch, members, cpus, generation

    def run(self, run_ns: int) -> list[Outcome]:
        """Run the cell once on all threads."""
        start = Start(len(self._members))
        work = [partial(member.run, start, run_ns, self._generation) for member in self._members]
        return run_pinned(work, self._cpus, self._scratch.stop, start.give_up)

    def verify(self) -> tuple[int, int]:
        """Read back the values that the programs wrote, each on its CPU. Raises WrongValue."""
        return self._scratch.verify(self._members[0].own, self._cpus)
