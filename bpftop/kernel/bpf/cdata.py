"""Conversions between cffi's values and Python's, used by all modules that call C."""

from __future__ import annotations

from array import array
from typing import Any

from bpftop.kernel._libbpf import ffi, lib
from bpftop.kernel.return_code import check


def new_opts(struct: str, **fields: object) -> Any:
    """Return a libbpf options ``struct`` with its size and these fields set."""
    opts = ffi.new(f"struct {struct} *")
    opts.sz = ffi.sizeof(f"struct {struct}")
    for field, value in fields.items():
        setattr(opts, field, value)
    return opts


def info_by_fd(fd: int, struct: str, verb: str) -> Any:
    """Ask the kernel for the info ``struct`` of a program or map. Raises KernelError."""
    info = ffi.new(f"struct {struct} *")
    check(lib.bpf_obj_get_info_by_fd(fd, info, ffi.new("uint32_t *", ffi.sizeof(f"struct {struct}"))), verb)
    return info


def text(chars: Any) -> str:
    """Return a C string as text; bytes that are not UTF-8 are replaced."""
    return str(ffi.string(chars).decode(errors="replace"))


def messages() -> str:
    """Return libbpf's messages of the calling thread since ``lib.bpftop_messages_begin()``."""
    return text(lib.bpftop_messages())


def u64s(words: Any, count: int | None = None) -> array[int]:
    """Return a copy of the first ``count`` 64-bit words, or of all words of a C array."""
    copy = array("Q")
    copy.frombytes(ffi.buffer(words) if count is None else ffi.buffer(words, count * 8))
    return copy


def fill_zero(pointer: Any) -> None:
    """Overwrite a C array, or the struct behind a pointer, with zeros."""
    memory = ffi.buffer(pointer)
    memory[:] = bytes(len(memory))
