"""Loaded BPF programs: their facts, and BPF_PROG_TEST_RUN."""

from __future__ import annotations

from contextlib import closing

from bpftop.fields import frozen
from bpftop.kernel._libbpf import ffi, lib
from bpftop.kernel.bpf.cdata import info_by_fd, new_opts, text
from bpftop.kernel.bpf.owned_fd import OwnedFd
from bpftop.kernel.return_code import check


@frozen
class ProgramInfo:
    """Facts of a program. All but the last three never change; the kernel cuts ``name`` at 15 bytes.

    ``type`` is a number of enum bpf_prog_type. ``load_time_ns`` is CLOCK_BOOTTIME. ``btf_id`` is 0 without BTF.
    ``run_cnt`` and ``run_time_ns`` grow only while run statistics are on.
    """

    prog_id: int
    type: int
    name: str
    tag: str
    load_time_ns: int
    created_by_uid: int
    xlated_bytes: int
    jited_bytes: int
    verified_insns: int
    btf_id: int
    map_count: int
    run_cnt: int
    run_time_ns: int
    recursion_misses: int


@frozen
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
        return info_of(self.fd)

    def test_run(self, frame: bytes, repeat: int = 1, context: bytes = b"") -> TestRun:
        """Run the program ``repeat`` times on a copy of ``frame``. The program writes its maps as for real packets.

        ``context`` is a ``struct __sk_buff`` for tc programs. Raises KernelError: EINVAL for a frame below 14 bytes.
        """
        data_in, ctx_in = ffi.from_buffer(frame), ffi.from_buffer(context) if context else ffi.NULL
        opts = new_opts("bpf_test_run_opts", data_in=data_in, data_size_in=len(frame), repeat=repeat)
        opts.ctx_in, opts.ctx_size_in = ctx_in, len(context)
        check(lib.bpf_prog_test_run_opts(self.fd, opts), f"test-run the BPF program {self.name}")
        return TestRun(opts.retval, opts.duration)


def open_program(prog_id: int) -> OwnedFd:
    """Open a program of anybody; it stays loaded until the result is closed.

    Raises KernelError: EPERM without CAP_SYS_ADMIN, ENOENT once the program is gone.
    """
    return OwnedFd(check(lib.bpf_prog_get_fd_by_id(prog_id), f"open the BPF program {prog_id}"))


def program_info(prog_id: int) -> ProgramInfo:
    """Ask the kernel for the facts of the program ``prog_id``. Raises KernelError as ``open_program`` does."""
    with closing(open_program(prog_id)) as program:
        return info_of(program.fd)


def info_of(prog_fd: int) -> ProgramInfo:
    """Ask the kernel for the facts of an open program. Raises KernelError."""
    info = info_by_fd(prog_fd, "bpf_prog_info", "ask the kernel about a BPF program")
    return ProgramInfo(
        info.id, info.type, text(info.name), bytes(ffi.buffer(info.tag)).hex(), info.load_time, info.created_by_uid,
        info.xlated_prog_len, info.jited_prog_len, info.verified_insns, info.btf_id, info.nr_map_ids, info.run_cnt,
        info.run_time_ns, info.recursion_misses,
    )  # fmt: skip
