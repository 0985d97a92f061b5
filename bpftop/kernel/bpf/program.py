"""A loaded BPF program: what the kernel knows of it, and BPF_PROG_TEST_RUN."""

from __future__ import annotations

from dataclasses import dataclass

from bpftop.kernel._libbpf import ffi, lib
from bpftop.kernel.bpf.program_info import ProgramInfo, program_info_by_fd
from bpftop.kernel.check import check


@dataclass(frozen=True)
class TestRun:
    """One BPF_PROG_TEST_RUN: the program's return value, and the mean of ``repeat`` runs in whole nanoseconds."""

    retval: int
    duration_ns: int


class Program:
    """A program by its file descriptor, which belongs to the object that loaded it."""

    def __init__(self, fd: int, name: str) -> None:
        self.fd = fd
        self.name = name

    @property
    def prog_id(self) -> int:
        return self.info().prog_id

    def info(self) -> ProgramInfo:
        return program_info_by_fd(self.fd)

    def test_run(self, frame: bytes, repeat: int = 1, context: bytes = b"") -> TestRun:
        """Run the program on a copy of ``frame``, ``repeat`` times. Its maps are written as by real packets.

        ``context`` is a ``struct __sk_buff`` for tc programs. Raises KernelError: EINVAL for a frame below 14 bytes.
        """
        opts = ffi.new("struct bpf_test_run_opts *")
        opts.sz = ffi.sizeof("struct bpf_test_run_opts")
        source = ffi.from_buffer(frame)
        opts.data_in, opts.data_size_in, opts.repeat = source, len(frame), repeat
        if context:
            held = ffi.from_buffer(context)
            opts.ctx_in, opts.ctx_size_in = held, len(context)
        check(lib.bpf_prog_test_run_opts(self.fd, opts), f"test-run the BPF program {self.name}")
        return TestRun(opts.retval, opts.duration)
