"""Map operations inside the kernel: many in one run of a BPF program, under BPF_PROG_TEST_RUN, attached nowhere."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from bpftop.kernel._libbpf import ffi, lib
from bpftop.kernel.bpf import bpf_map
from bpftop.kernel.bpf.object import BpfObject
from bpftop.kernel.check import check
from bpftop.kernel.measure.loops import DELETE, INSERT, LOOKUP, UPDATE, WALK, Loop, Outcome, Start, Subject

# bpf_objects/profile_maps.h: operations in one run of a program, and entries that one walk visits
STEPS_MAX, WALK_MAX = 256, 16384
_STEP_HEAD_BYTES = 16  # struct profile_step
_VALUES_BYTES_MAX = 1 << 20  # different values that the programs write: as many as fit

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


class Inside:
    """The programs that work on one subject, loaded when they are first used; ``steps`` is what all threads visit.

    Raises KernelError: EPERM without CAP_BPF and CAP_NET_ADMIN, EFAULT without CAP_PERFMON (the verifier then follows
    speculation as well, which is too much), EINVAL for what the kernel does not do in programs.
    """

    def __init__(self, subject: Subject, steps: int) -> None:
        shape = subject.shape
        self._subject, self._steps = subject, steps
        self._programs: dict[str, BpfObject] = {}
        self._values_count = 1
        while self._values_count < 1024 and 2 * self._values_count * shape.value_bytes <= _VALUES_BYTES_MAX:
            self._values_count *= 2
        step_bytes = _STEP_HEAD_BYTES + -(-shape.key_bytes // 8) * 8
        self._steps_map = bpf_map.create(bpf_map.ARRAY, 4, step_bytes, steps, bpf_map.MMAPABLE, "bpftop_steps")
        try:
            self._values_map = bpf_map.create(
                bpf_map.ARRAY, 4, shape.value_bytes, self._values_count, bpf_map.MMAPABLE, "bpftop_values"
            )
        except BaseException:
            self._steps_map.close()
            raise

    def close(self) -> None:
        for program in self._programs.values():
            program.close()
        self._programs.clear()
        self._steps_map.close()
        self._values_map.close()

    def team(self, loops: Sequence[Loop], cpus: Sequence[int], each: int, generation: int) -> list[Member]:
        """The threads of one cell: a loop each, and the CPU it will be pinned to. ``each`` operations make one run."""
        operation = loops[0].c.operation
        program, undo = self._fd(_PROGRAMS[operation]), self._fd(_UNDO.get(operation))
        base = 0 if operation == WALK else each
        base_fd = self._fd(_BASE.get(operation, _NOTHING))
        check(
            lib.bpftop_write_values(self._subject.c, generation, self._values_count - 1, self._values_map.fd),
            "write the values of a program",
        )
        members = []
        region = 0
        for loop, cpu in zip(loops, cpus, strict=True):
            inside = ffi.new("struct bpftop_inside *")
            inside.program, inside.undo, inside.region, inside.each, inside.cpu = program, undo, region, each, cpu
            inside.value_mask = self._values_count - 1
            rc = lib.bpftop_write_steps(self._subject.c, loop.c, inside, self._steps_map.fd, self._steps)
            check(rc, "write the steps of a program")
            region += loop.c.steps
            members.append(Member(self._subject, loop, inside, base_fd, base))
        own = ffi.NULL
        if self._subject.c.slots > 1:
            universe = self._subject.c.universe
            own = ffi.new("uint64_t[]", universe * len(members))
            for thread, member in enumerate(members):
                member.c.own = own + thread * universe
        for member in members:
            member.own = own
        return members

    def _fd(self, name: str | None) -> int:
        if name is None:
            return -1
        if name not in self._programs:
            instead = {"subject": self._subject.map.fd, "steps": self._steps_map.fd, "values": self._values_map.fd}
            self._programs[name] = BpfObject(
                "profile_maps", name, {"value_bytes": self._subject.shape.value_bytes}, shared=instead
            )
        return self._programs[name].program.fd


class Member:
    """One thread of a team."""

    def __init__(self, subject: Subject, loop: Loop, inside: Any, base_fd: int, base_steps: int) -> None:
        self._subject, self._loop, self._base = subject, loop, (base_fd, base_steps)
        self.c = inside
        self.own: Any = ffi.NULL
        """What all members wrote on their CPUs alone, for ``Subject.verify``; per-CPU maps only."""

    def calibrate(self) -> float:
        """Measure the loop without its operation, on this thread's CPU: nanoseconds per step. Raises KernelError."""
        fd, steps = self._base
        ticks = check(lib.bpftop_base_ticks(fd, self.c.region, steps), "test-run an empty program")
        self.c.base_ticks = ticks
        return ticks / 16 / max(1, steps)

    def run(self, start: Start, run_ns: int, generation: int) -> Outcome:
        """As ``Loop.run``; a time is that of a whole run, by ``each``."""
        self._loop.begin(start, run_ns, 0, generation)
        lib.bpftop_run_inside(self._subject.c, self._loop.c, self.c)
        return self._loop.outcome()


def allowed_cpus() -> tuple[int, ...]:
    """The CPUs that this process may run on."""
    return tuple(sorted(os.sched_getaffinity(0)))
