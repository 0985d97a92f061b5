"""Map operations in BPF programs: many per run, by BPF_PROG_TEST_RUN. The programs are attached nowhere."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from bpftop.kernel._libbpf import ffi, lib
from bpftop.kernel.bpf import bpf_map
from bpftop.kernel.bpf.object import BpfObject
from bpftop.kernel.measure.loops import (
    DELETE,
    INSERT,
    LOOKUP,
    TICKS_PER_NS,
    UPDATE,
    WALK,
    Loop,
    Outcome,
    Start,
    Subject,
)
from bpftop.kernel.return_code import check

STEPS_MAX: int = lib.PROFILE_STEPS_MAX
WALK_MAX: int = lib.PROFILE_WALK_MAX
_VALUES_MAX, _VALUES_BYTES_MAX = 1024, 1 << 20  # different values that the programs write

_PROGRAMS = {
    LOOKUP: "profile_lookup",
    UPDATE: "profile_update",
    INSERT: "profile_update",
    DELETE: "profile_delete",
    WALK: "profile_walk",
}
_UNDO = {INSERT: "profile_delete", DELETE: "profile_update"}
_BASE = {UPDATE: "profile_no_update", INSERT: "profile_no_update"}
_NOTHING = "profile_nothing"


class ProgramLoops:
    """The programs for one subject, each loaded at its first use. ``steps`` is the number of steps of all threads.

    Raises KernelError: EPERM without CAP_BPF and CAP_NET_ADMIN, EFAULT without CAP_PERFMON (the verifier then follows
    speculative paths too, which are too many), EINVAL for operations that programs cannot do.
    """

    def __init__(self, subject: Subject, steps: int) -> None:
        shape = subject.shape
        self._subject, self._steps = subject, steps
        self._programs: dict[str, BpfObject] = {}
        self._values_count = 1
        while self._values_count < _VALUES_MAX and 2 * self._values_count * shape.value_bytes <= _VALUES_BYTES_MAX:
            self._values_count *= 2
        step_bytes = ffi.sizeof("struct profile_step") + -(-shape.key_bytes // 8) * 8
        self._steps_map = bpf_map.create(bpf_map.ARRAY, 4, step_bytes, steps, bpf_map.MMAPABLE, "bpftop_steps")
        try:
            self._values_map = bpf_map.create(
                bpf_map.ARRAY, 4, shape.value_bytes, self._values_count, bpf_map.MMAPABLE, "bpftop_values"
            )
        except BaseException:
            self._steps_map.close()
            raise

    def close(self) -> None:
        """Unload the programs and close their maps."""
        for program in self._programs.values():
            program.close()
        self._programs.clear()
        self._steps_map.close()
        self._values_map.close()

    def team(self, loops: Sequence[Loop], cpus: Sequence[int], each: int, generation: int) -> list[ProgramLoop]:
        """Return one ``ProgramLoop`` per loop and CPU; all loops have the same operation.

        ``each`` operations make one program run. Raises KernelError.
        """
        operation = loops[0].c.operation
        prog_fd, undo_fd = self._fd(_PROGRAMS[operation]), self._fd(_UNDO.get(operation))
        base_fd, base_steps = self._fd(_BASE.get(operation, _NOTHING)), 0 if operation == WALK else each
        mask = self._values_count - 1
        rc = lib.bpftop_write_values(self._subject.c, generation, mask, self._values_map.fd)
        check(rc, "write the values of a program")
        team = []
        first_step = 0
        for loop, cpu in zip(loops, cpus, strict=True):
            c = ffi.new("struct bpftop_program_loop *")
            c.prog_fd, c.undo_prog_fd, c.first_step, c.each, c.cpu = prog_fd, undo_fd, first_step, each, cpu
            c.value_mask = mask
            rc = lib.bpftop_write_steps(self._subject.c, loop.c, c, self._steps_map.fd, self._steps)
            check(rc, "write the steps of a program")
            first_step += loop.c.steps
            team.append(ProgramLoop(self._subject, loop, c, base_fd, base_steps))
        if self._subject.c.slots > 1:
            universe = self._subject.c.universe
            own = ffi.new("uint64_t[]", universe * len(team))
            for thread, member in enumerate(team):
                member.own, member.c.own = own, own + thread * universe
        return team

    def _fd(self, name: str | None) -> int:
        if name is None:
            return -1
        if name not in self._programs:
            shared = {"subject": self._subject.map.fd, "steps": self._steps_map.fd, "values": self._values_map.fd}
            self._programs[name] = BpfObject(
                "profile_maps", name, {"value_bytes": self._subject.shape.value_bytes}, shared=shared
            )
        return self._programs[name].program.fd


class ProgramLoop:
    """One thread's work in programs."""

    def __init__(self, subject: Subject, loop: Loop, c: Any, base_fd: int, base_steps: int) -> None:
        self._subject, self._loop, self._base = subject, loop, (base_fd, base_steps)
        self.c = c
        self.own: Any = ffi.NULL
        """Patterns that each thread wrote on its own CPU only, for ``Subject.verify``; NULL without per-CPU values."""

    def calibrate(self) -> float:
        """Measure the program without its operation on this CPU. Return ns per step. Raises KernelError."""
        fd, steps = self._base
        ticks = check(lib.bpftop_base_ticks(fd, self.c.first_step, steps), "test-run an empty program")
        self.c.base_ticks = ticks
        return ticks / TICKS_PER_NS / max(1, steps)

    def run(self, start: Start, run_ns: int, generation: int) -> Outcome:
        """Run as ``Loop.run`` does. A time is the mean of the ``each`` operations of one program run."""
        self._loop.begin(start, run_ns, 0, generation)
        lib.bpftop_run_program_loop(self._subject.c, self._loop.c, self.c)
        return self._loop.outcome()


def allowed_cpus() -> tuple[int, ...]:
    """Return the CPUs that this process may run on."""
    return tuple(sorted(os.sched_getaffinity(0)))
