"""What the kernel says of a program by its id: somebody else's, mostly."""

from __future__ import annotations

import os
from dataclasses import dataclass

from bpftop.kernel._libbpf import ffi, lib
from bpftop.kernel.check import check


@dataclass(frozen=True)
class ProgramInfo:
    """``type`` is the number of enum bpf_prog_type; sizes in bytes. ``name`` is cut at 15 bytes by the kernel."""

    prog_id: int
    name: str
    type: int
    jited_bytes: int
    xlated_bytes: int
    verified_insns: int


def program_info(prog_id: int) -> ProgramInfo:
    """Ask by id. Raises KernelError as ``open_program`` does."""
    fd = open_program(prog_id)
    try:
        return program_info_by_fd(fd)
    finally:
        os.close(fd)


def open_program(prog_id: int) -> int:
    """A file descriptor, which keeps the program until it is closed. Raises KernelError: EPERM without CAP_SYS_ADMIN,
    ENOENT once the program is gone."""
    return check(lib.bpf_prog_get_fd_by_id(prog_id), f"open the BPF program {prog_id}")


def program_info_by_fd(fd: int) -> ProgramInfo:
    """Ask by file descriptor. Raises KernelError."""
    info = ffi.new("struct bpf_prog_info *")
    size = ffi.new("uint32_t *", ffi.sizeof("struct bpf_prog_info"))
    check(lib.bpf_obj_get_info_by_fd(fd, info, size), "ask the kernel about a BPF program")
    name = ffi.string(info.name).decode(errors="replace")
    return ProgramInfo(info.id, name, info.type, info.jited_prog_len, info.xlated_prog_len, info.verified_insns)
