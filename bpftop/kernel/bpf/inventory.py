"""Every BPF program, map and link that is loaded on the machine, with the facts that the kernel tells about it.

Each object is open for one question only: an open file descriptor would keep it loaded.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from typing import Any, Literal, TypeVar

from bpftop.fields import frozen
from bpftop.kernel._libbpf import ffi, lib
from bpftop.kernel.bpf import bpf_map, program
from bpftop.kernel.bpf.bpf_map import MapInfo
from bpftop.kernel.bpf.cdata import info_by_fd, text
from bpftop.kernel.bpf.link_info import INFO_BYTES, NAME_BYTES, LinkInfo, name_field, parse_link_info
from bpftop.kernel.bpf.owned_fd import OwnedFd
from bpftop.kernel.bpf.program import ProgramInfo
from bpftop.kernel.return_code import KernelError, check

FactsT = TypeVar("FactsT")

_NEED = "listing them needs CAP_SYS_ADMIN: run bpftop as root"


def programs() -> list[ProgramInfo]:
    """Return all loaded programs. Raises KernelError: EPERM without CAP_SYS_ADMIN."""
    return list(_each("programs", lib.bpf_prog_get_next_id, lib.bpf_prog_get_fd_by_id, program.info_of))


def maps() -> list[MapInfo]:
    """Return all maps. Raises KernelError: EPERM without CAP_SYS_ADMIN."""
    return list(_each("maps", lib.bpf_map_get_next_id, lib.bpftop_map_by_id, bpf_map.info_of))


def links() -> list[LinkInfo]:
    """Return all links. Raises KernelError: EPERM without CAP_SYS_ADMIN; EINVAL before Linux 5.8."""
    return list(_each("links", lib.bpf_link_get_next_id, lib.bpf_link_get_fd_by_id, _link))


def map_ids_of(prog_id: int) -> tuple[int, ...]:
    """Return the ids of the maps that a program uses; none once the program is gone. Raises KernelError."""
    return _of_program(prog_id, lambda fd: _map_ids(fd), ())


def full_name_of(prog_id: int) -> str:
    """Return the name of the program's entry function by its BTF; empty without BTF, or once the program is gone."""
    from bpftop.kernel.bpf.kernel_btf import entry_function

    try:
        return _of_program(prog_id, entry_function, "")
    except KernelError:
        return ""


@frozen
class FdInfo:
    """Facts that only a file descriptor's fdinfo has; None where the kernel does not tell.

    ``frozen``: user space may not write to the map any more.
    """

    memory_bytes: int | None = None
    frozen: bool | None = None


def fdinfo_of(kind: Literal["program", "map"], object_id: int) -> FdInfo:
    """Return the memory that the kernel charges for an object, and whether a map is frozen; nothing once it is gone."""
    fd = (lib.bpf_prog_get_fd_by_id if kind == "program" else lib.bpftop_map_by_id)(object_id)
    if fd < 0:
        return FdInfo()
    with closing(OwnedFd(fd)), open(f"/proc/self/fdinfo/{fd}") as lines:
        fields = dict(line.split(":", 1) for line in lines if ":" in line)
    memory, frozen_text = fields.get("memlock"), fields.get("frozen")
    return FdInfo(None if memory is None else int(memory), None if frozen_text is None else frozen_text.strip() == "1")


def btf_bytes(btf_id: int) -> bytes:
    """Return the raw BTF of a program or a map. Raises KernelError: ENOENT once it is gone, EPERM."""
    with closing(OwnedFd(check(lib.bpf_btf_get_fd_by_id(btf_id), f"open the BTF {btf_id}"))) as btf:
        size = int(info_by_fd(btf.fd, "bpf_btf_info", "ask the kernel about a BTF").btf_size)
        content = ffi.new("unsigned char[]", size)
        info = ffi.new("struct bpf_btf_info *", {"btf": int(ffi.cast("uintptr_t", content)), "btf_size": size})
        _ask(btf.fd, info, "read a BTF")
        return bytes(ffi.buffer(content))


def program_type_names() -> Mapping[int, str]:
    """Return the names of the program types by number, as in bpftool: ``xdp``, ``sched_cls``."""
    return _NEWER_PROGRAMS | _type_names(lib.libbpf_bpf_prog_type_str)


def map_type_names() -> Mapping[int, str]:
    """Return the names of the map types by number: ``percpu_array``, ``lru_hash``."""
    return _NEWER_MAPS | _type_names(lib.libbpf_bpf_map_type_str)


_NEWER_PROGRAMS = {32: "netfilter"}
_NEWER_MAPS = {31: "user_ringbuf", 32: "cgrp_storage", 33: "arena", 34: "insn_array"}
"""Types that the oldest libbpf of the build (1.0) does not know (include/uapi/linux/bpf.h)."""


def _type_names(name_of: Callable[[int], Any]) -> dict[int, str]:
    names: dict[int, str] = {}
    while (name := name_of(len(names))) != ffi.NULL:
        names[len(names)] = text(name)
    return names


def _each(
    kind: str, next_id: Callable[..., int], open_id: Callable[[int], int], facts: Callable[[int], FactsT]
) -> Iterator[FactsT]:
    """Yield the facts of each object. An object that ends meanwhile is left out."""
    object_id = ffi.new("uint32_t *")
    while True:
        rc = next_id(object_id[0], object_id)
        if rc == -errno.ENOENT:
            return
        check(rc, f"list the BPF {kind}", _NEED if rc == -errno.EPERM else "")
        fd = open_id(object_id[0])
        if fd == -errno.ENOENT:
            continue
        with closing(OwnedFd(check(fd, f"open one of the BPF {kind}", _NEED if fd == -errno.EPERM else ""))):
            yield facts(fd)


def _link(fd: int) -> LinkInfo:
    info = ffi.new("unsigned char[]", INFO_BYTES)
    _ask(fd, info, "ask the kernel about a BPF link")
    name_at = name_field(bytes(ffi.buffer(info)))
    if name_at is None:
        return parse_link_info(bytes(ffi.buffer(info)), "")
    name = ffi.new("char[]", NAME_BYTES)
    ffi.buffer(info)[:] = bytes(INFO_BYTES)
    ffi.buffer(info)[name_at : name_at + 8] = int(ffi.cast("uintptr_t", name)).to_bytes(8, "little")
    ffi.buffer(info)[name_at + 8 : name_at + 12] = NAME_BYTES.to_bytes(4, "little")
    _ask(fd, info, "ask the kernel about a BPF link")
    return parse_link_info(bytes(ffi.buffer(info)), text(name))


def _ask(fd: int, info: Any, verb: str) -> None:
    size = ffi.sizeof(info) if ffi.typeof(info).kind == "array" else ffi.sizeof(ffi.typeof(info).item)
    check(lib.bpf_obj_get_info_by_fd(fd, info, ffi.new("uint32_t *", size)), verb)


def _of_program(prog_id: int, question: Callable[[int], FactsT], absent: FactsT) -> FactsT:
    fd = lib.bpf_prog_get_fd_by_id(prog_id)
    if fd == -errno.ENOENT:
        return absent
    with closing(OwnedFd(check(fd, f"open the BPF program {prog_id}", _NEED if fd == -errno.EPERM else ""))):
        return question(fd)


def _map_ids(fd: int) -> tuple[int, ...]:
    count = int(info_by_fd(fd, "bpf_prog_info", "ask the kernel about a BPF program").nr_map_ids)
    ids = ffi.new("uint32_t[]", max(1, count))
    info = ffi.new("struct bpf_prog_info *", {"nr_map_ids": count, "map_ids": int(ffi.cast("uintptr_t", ids))})
    _ask(fd, info, "list the maps of a BPF program")
    return tuple(ids[0 : min(count, info.nr_map_ids)])


@frozen
class Pinned:
    """The object behind a pin."""

    kind: Literal["program", "map", "link"]
    object_id: int


def pinned_object(path: str) -> Pinned | None:
    """Return the object that is pinned at a path; None if it is none, is gone, or may not be opened."""
    fd = lib.bpf_obj_get(os.fsencode(path))
    if fd < 0:
        fd = lib.bpftop_map_by_path(os.fsencode(path))  # a map that user space may only read
    if fd < 0:
        return None
    with closing(OwnedFd(fd)):
        target = os.readlink(f"/proc/self/fd/{fd}")
        for kind, struct in (("prog", "bpf_prog_info"), ("map", "bpf_map_info")):
            if kind in target:
                object_id = int(info_by_fd(fd, struct, f"ask the kernel about the pin {path}").id)
                return Pinned("program" if kind == "prog" else "map", object_id)
        return Pinned("link", _link(fd).link_id)


@frozen
class ProgramCode:
    """A translated program. ``lines`` are (instruction slot, offset of the source line in the texts of its BTF).

    ``functions``: the program itself and its subprograms, each compiled by its own; 0 where the kernel interprets.
    """

    xlated: bytes
    lines: tuple[tuple[int, int], ...]
    btf_id: int
    functions: int


def code_of(prog_id: int) -> ProgramCode | None:
    """Return the translated instructions of a program; None once it is gone.

    ``xlated`` is empty where the kernel does not give it away (kernel.kptr_restrict, or without CAP_PERFMON and
    CAP_SYS_ADMIN). Raises KernelError.
    """
    return _of_program(prog_id, _code, None)


def _code(fd: int) -> ProgramCode | None:
    sizes = info_by_fd(fd, "bpf_prog_info", "ask the kernel about a BPF program")
    record_bytes, records = int(sizes.line_info_rec_size), int(sizes.nr_line_info)
    code = ffi.new("unsigned char[]", max(1, sizes.xlated_prog_len))
    lines = ffi.new("unsigned char[]", max(1, record_bytes * records))
    info = ffi.new("struct bpf_prog_info *")
    info.xlated_prog_len, info.xlated_prog_insns = sizes.xlated_prog_len, int(ffi.cast("uintptr_t", code))
    info.line_info_rec_size, info.nr_line_info = record_bytes, records
    info.line_info = int(ffi.cast("uintptr_t", lines))
    _ask(fd, info, "read the instructions of a BPF program")
    given = int(info.xlated_prog_len) if info.xlated_prog_insns else 0
    words = memoryview(ffi.buffer(lines, record_bytes * records)).cast("I") if records else memoryview(b"").cast("B")
    step = record_bytes // 4
    pairs = tuple((words[at * step], words[at * step + 2]) for at in range(min(records, int(info.nr_line_info))))
    return ProgramCode(bytes(ffi.buffer(code, given)), pairs, int(sizes.btf_id), int(sizes.nr_jited_func_lens))
