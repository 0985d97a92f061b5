"""Facts of a BPF program from the kernel, by id or by file descriptor."""

from __future__ import annotations

import os
from dataclasses import dataclass

from bpftop.kernel._libbpf import lib
from bpftop.kernel.bpf.cdata import info_by_fd, text
from bpftop.kernel.check import check


@dataclass(frozen=True)
class ProgramInfo:
    """``type`` is a number of enum bpf_prog_type; sizes are in bytes. The kernel cuts ``name`` at 15 bytes."""

    prog_id: int
    name: str
    type: int
    jited_bytes: int
    xlated_bytes: int
    verified_insns: int


def program_info(prog_id: int) -> ProgramInfo:
    """Ask the kernel for the facts of the program ``prog_id``. Raises KernelError as ``open_program`` does."""
    fd = open_program(prog_id)
    try:
        return program_info_by_fd(fd)
    finally:
        os.close(fd)


def open_program(prog_id: int) -> int:
    """Return a file descriptor, which keeps the program loaded until it is closed.

    Raises KernelError: EPERM without CAP_SYS_ADMIN, ENOENT once the program is gone.
    """
    return check(lib.bpf_prog_get_fd_by_id(prog_id), f"open the BPF program {prog_id}")


def program_info_by_fd(fd: int) -> ProgramInfo:
    """Ask the kernel for the facts of a program by file descriptor. Raises KernelError."""
    info = info_by_fd(fd, "bpf_prog_info", "ask the kernel about a BPF program")
    return ProgramInfo(
        info.id, text(info.name), info.type, info.jited_prog_len, info.xlated_prog_len, info.verified_insns
    )
