"""Counters of the CPU (PMU) for the runs of a loaded program, by programs at its entry and its exit."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from contextlib import ExitStack, closing

from bpftop.fields import frozen
from bpftop.kernel._libbpf import ffi, lib
from bpftop.kernel.bpf import inventory
from bpftop.kernel.bpf.bpf_link import attach_tracing
from bpftop.kernel.bpf.object import BpfObject
from bpftop.kernel.bpf.owned_fd import OwnedFd
from bpftop.kernel.bpf.percpu_array import possible_cpus
from bpftop.kernel.return_code import KernelError, check

_HARDWARE, _CACHE = 0, 3  # PERF_TYPE_HARDWARE, PERF_TYPE_HW_CACHE
_READ_MISS = 1 << 16


@frozen
class PerfEvent:
    """An event of perf_event_open, with ``type`` and ``config`` of include/uapi/linux/perf_event.h."""

    name: str
    type: int
    config: int


PMU_EVENTS = (
    PerfEvent("cycles", _HARDWARE, 0),
    PerfEvent("instructions", _HARDWARE, 1),
    PerfEvent("cache references", _HARDWARE, 2),
    PerfEvent("cache misses", _HARDWARE, 3),
    PerfEvent("data TLB misses", _CACHE, 3 | _READ_MISS),
    PerfEvent("instruction TLB misses", _CACHE, 4 | _READ_MISS),
)


@frozen
class CountedEvent:
    """An event over all measured runs. ``share`` of the time it was really counted; the rest is extrapolated."""

    name: str
    count: float
    share: float


class ProgramCounters:
    """Counts events in the runs of a program until it is closed.

    Both tracing programs and the reading of each event add to every run meanwhile, and a part of that is counted too.

    Args:
        prog_id: the program; its BTF must have its entry function.
        events: at most six. An event that this machine does not count is left out; the first one must be counted.

    Raises:
        KernelError: ENOENT: no PMU counts the first event, or the program has no BTF; EACCES, EPERM without
            CAP_PERFMON; EINVAL for a program that itself traces.
    """

    def __init__(self, prog_id: int, events: Sequence[PerfEvent] = PMU_EVENTS) -> None:
        with ExitStack() as stack:
            self._cpus = possible_cpus()
            opened = [(event, fds) for event in events if (fds := self._open(stack, event, event is events[0]))]
            self._events = [event for event, _ in opened]
            function = inventory.full_name_of(prog_id)
            program_fd = lib.bpf_prog_get_fd_by_id(prog_id)
            target = stack.enter_context(closing(OwnedFd(check(program_fd, f"open the BPF program {prog_id}"))))
            if not function:
                raise KernelError("the program has no BTF, by which it could be traced", errno.ENOENT)
            self._object = stack.enter_context(closing(BpfObject(
                "program_counters", (), {"cpus": self._cpus, "counters": len(opened)}, target=(target.fd, function),
                max_entries={"events": len(opened) * self._cpus},
            )))  # fmt: skip
            for number, (_, fds) in enumerate(opened):
                for cpu, event_fd in fds.items():
                    self._put(number * self._cpus + cpu, event_fd)
            for name in ("read_at_entry", "add_at_exit"):
                stack.enter_context(closing(attach_tracing(self._object.programs[name].fd)))
            self._stack = stack.pop_all()

    def _open(self, stack: ExitStack, event: PerfEvent, needed: bool) -> dict[int, int]:
        """Open the event on each CPU that is online; none where this machine does not count it."""
        fds: dict[int, int] = {}
        for cpu in range(self._cpus):
            fd = lib.bpftop_open_perf_counter(event.type, event.config, cpu)
            if fd == -errno.ENODEV:  # the CPU is offline
                continue
            if fd < 0:
                if needed:
                    check(fd, f"count {event.name} (perf_event_open)", _REMEDIES.get(-fd, ""))
                return {}
            fds[cpu] = stack.enter_context(closing(OwnedFd(fd))).fd
        return fds

    def _put(self, index: int, event_fd: int) -> None:
        key, value = ffi.new("uint32_t *", index), ffi.new("int *", event_fd)
        check(lib.bpf_map_update_elem(self._object.map_fd("events"), key, value, lib.BPF_ANY), "place a perf event")

    def read(self) -> tuple[int, list[CountedEvent]]:
        """Return the number of runs so far, and their events. Raises KernelError."""
        key, values = ffi.new("uint32_t *"), ffi.new("struct program_counters[]", self._cpus)
        check(lib.bpf_map_lookup_elem(self._object.map_fd("totals"), key, values), "read the counters of a program")
        counted = []
        for number, event in enumerate(self._events):
            each = [values[cpu].counters[number] for cpu in range(self._cpus)]
            enabled, running = sum(one.enabled_ns for one in each), sum(one.running_ns for one in each)
            share = running / enabled if enabled else 1.0
            count = sum(one.count for one in each)
            counted.append(CountedEvent(event.name, count / share if share else 0.0, share))
        return sum(values[cpu].runs for cpu in range(self._cpus)), counted

    def close(self) -> None:
        """Detach from the program."""
        self._stack.close()


_REMEDIES = {
    errno.ENOENT: "this machine has no PMU, or its hypervisor hides it",
    errno.EOPNOTSUPP: "this machine has no PMU, or its hypervisor hides it",
    errno.EACCES: "it takes CAP_PERFMON: run bpftop as root",
    errno.EPERM: "it takes CAP_PERFMON: run bpftop as root",
}
