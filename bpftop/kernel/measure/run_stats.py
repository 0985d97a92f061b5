"""Programs that are attached and timed by the kernel's run statistics, because BPF_PROG_TEST_RUN refuses their type."""

from __future__ import annotations

from typing import Any

from bpftop.kernel._libbpf import ffi, lib
from bpftop.kernel.bpf.cdata import messages
from bpftop.kernel.bpf.object import BpfObject, last_line
from bpftop.kernel.bpf.owned_fd import OwnedFd
from bpftop.kernel.return_code import check


def enable_run_stats() -> OwnedFd:
    """Enable the kernel's run statistics (since Linux 5.8), until the result is closed.

    They add two clock readings to each run of each BPF program of the system. Raises KernelError: EINVAL before 5.8.
    """
    return OwnedFd(check(lib.bpftop_enable_run_stats(), "enable the run statistics of BPF programs"))


def program_runs(prog_fd: int) -> tuple[int, int]:
    """Return the number of runs of a program and their nanoseconds, since the statistics were enabled first.

    Raises KernelError.
    """
    stats = ffi.new("struct bpftop_run_stats *")
    check(lib.bpftop_read_run_stats(prog_fd, stats), "read the run statistics of a BPF program")
    return int(stats.run_cnt), int(stats.run_time_ns)


class ProgramOnHook:
    """A program of an object, attached where its section says. Raises KernelError if the kernel has no such hook."""

    def __init__(self, loaded: BpfObject, name: str) -> None:
        self._fd = loaded.programs[name].fd
        lib.bpftop_messages_begin()
        program = lib.bpf_object__find_program_by_name(loaded._object, name.encode())
        self._link: Any = lib.bpf_program__attach(program)
        log = messages()
        if self._link == ffi.NULL:
            check(-ffi.errno, f"attach {name}", last_line(log), log)

    def runs(self) -> tuple[int, int]:
        """Return the number of runs and their nanoseconds, since the statistics were enabled first."""
        return program_runs(self._fd)

    def close(self) -> None:
        """Detach the program."""
        if self._link != ffi.NULL:
            lib.bpf_link__destroy(self._link)
            self._link = ffi.NULL
