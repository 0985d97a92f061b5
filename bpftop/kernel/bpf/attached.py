"""Programs that are attached without a link: to cgroups, devices and network namespaces, and by perf events."""

from __future__ import annotations

import errno

from bpftop.fields import frozen
from bpftop.kernel._libbpf import ffi, lib
from bpftop.kernel.bpf.cdata import text
from bpftop.kernel.return_code import check

_PROGRAMS_MAX = 64
"""BPF_CGROUP_MAX_PROGS and BPF_MPROG_MAX: most programs at one place (include/linux/bpf-cgroup.h, bpf_mprog.h)."""

_NAME_BYTES = 512  # KSYM_NAME_LEN, or the end of a long path

FD_TYPES = ("raw tracepoint", "tracepoint", "kprobe", "kretprobe", "uprobe", "uretprobe")
"""enum bpf_task_fd_type, by number."""


def attached_programs(target: int, attach_type: int) -> tuple[int, ...]:
    """Return the ids of the programs at one place (BPF_PROG_QUERY), those behind links included.

    ``target`` is the ifindex for TCX and netkit, else the file descriptor of a cgroup or a network namespace. A place
    that does not exist, or that this kernel does not know, has no programs. Raises KernelError: EPERM without
    CAP_NET_ADMIN.
    """
    ids, count = ffi.new("uint32_t[]", _PROGRAMS_MAX), ffi.new("uint32_t *", _PROGRAMS_MAX)
    rc = lib.bpf_prog_query(target, attach_type, 0, ffi.new("uint32_t *"), ids, count)
    if rc < 0 and rc != -errno.ENOSPC:  # ENOSPC: as many as there is room for are returned
        if rc == -errno.EPERM:
            check(rc, "ask the kernel where BPF programs are attached", "it takes CAP_NET_ADMIN: run bpftop as root")
        return ()
    return tuple(ids[0 : min(count[0], _PROGRAMS_MAX)])


@frozen
class PerfAttachment:
    """A program that a perf event runs: ``kind`` is a word of FD_TYPES, ``name`` a tracepoint, function or path."""

    prog_id: int
    kind: str
    name: str


def perf_attachment(pid: int, fd: int) -> PerfAttachment | None:
    """Return the program of another process's perf event (BPF_TASK_FD_QUERY); None if it has none, or is gone.

    The kernel does not tell the programs of hardware and software events. Raises KernelError: EPERM without
    CAP_SYS_ADMIN.
    """
    name, size = ffi.new("char[]", _NAME_BYTES), ffi.new("uint32_t *", _NAME_BYTES)
    prog_id, kind = ffi.new("uint32_t *"), ffi.new("uint32_t *")
    offset, address = ffi.new("unsigned long long *"), ffi.new("unsigned long long *")
    rc = lib.bpf_task_fd_query(pid, fd, 0, name, size, prog_id, kind, offset, address)
    if rc < 0 and rc != -errno.ENOSPC:  # ENOSPC: the name is cut
        if rc == -errno.EPERM:
            check(rc, "ask the kernel about perf events", "it takes CAP_SYS_ADMIN: run bpftop as root")
        return None
    words = text(name) or (f"0x{address[0]:x}" if address[0] else "")
    place = f"{words}+0x{offset[0]:x}" if words and offset[0] else words
    return PerfAttachment(prog_id[0], FD_TYPES[kind[0]] if kind[0] < len(FD_TYPES) else str(kind[0]), place)
