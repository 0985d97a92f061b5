"""A loaded BPF program: its facts, and BPF_PROG_TEST_RUN."""

from __future__ import annotations

from dataclasses import dataclass

from bpftop.kernel._libbpf import ffi, lib
from bpftop.kernel.bpf.cdata import new_opts
from bpftop.kernel.bpf.program_info import ProgramInfo, program_info_by_fd
from bpftop.kernel.check import check


@dataclass(frozen=True)
class TestRun:
    """Result of one BPF_PROG_TEST_RUN: the program's return value, and the mean of ``repeat`` runs in whole ns."""

    retval: int
    duration_ns: int


class Program:
    """A program, by the file descriptor that belongs to the object that loaded it."""

    def __init__(self, fd: int, name: str) -> None:
        self.fd = fd
        self.name = name

    @property
    def prog_id(self) -> int:
        return self.info().prog_id

    def info(self) -> ProgramInfo:
        """Ask the kernel for the facts of the program. Raises KernelError."""
        return program_info_by_fd(self.fd)

    def test_run(self, frame: bytes, repeat: int = 1, context: bytes = b"") -> TestRun:
        """Run the program ``repeat`` times on a copy of ``frame``. The program writes its maps as for real packets.

        ``context`` is a ``struct __sk_buff`` for tc programs. Raises KernelError: EINVAL for a frame below 14 bytes.
        """
        data_in, ctx_in = ffi.from_buffer(frame), ffi.from_buffer(context) if context else ffi.NULL
        opts = new_opts("bpf_test_run_opts", data_in=data_in, data_size_in=len(frame), repeat=repeat)
        opts.ctx_in, opts.ctx_size_in = ctx_in, len(context)
        check(lib.bpf_prog_test_run_opts(self.fd, opts), f"test-run the BPF program {self.name}")
        return TestRun(opts.retval, opts.duration)
