"""Processes that have file descriptors of BPF objects, listed by a BPF iterator over all open files of the machine."""

from __future__ import annotations

import os
from contextlib import ExitStack, closing
from typing import Literal

from bpftop.fields import frozen
from bpftop.kernel._libbpf import ffi, lib
from bpftop.kernel.bpf.cdata import text
from bpftop.kernel.bpf.object import BpfObject
from bpftop.kernel.bpf.owned_fd import OwnedFd
from bpftop.kernel.check import check

_BPF_TRACE_ITER = 28
_CHUNK_BYTES = 64 << 10

ObjectKind = Literal["program", "map", "link", "perf_event"]
_KINDS: dict[int, ObjectKind] = {
    lib.OWNED_PROGRAM: "program", lib.OWNED_MAP: "map", lib.OWNED_LINK: "link", lib.OWNED_PERF_EVENT: "perf_event",
}  # fmt: skip


@frozen
class OpenObject:
    """A process has a BPF object, or a perf event, open.

    ``pid`` is of the initial pid namespace, ``comm`` its name, at most 15 bytes. A perf event has no id: its
    ``object_id`` is the file descriptor.
    """

    kind: ObjectKind
    object_id: int
    pid: int
    comm: str


class OwnerIterator:
    """The loaded iterator. Loading reads the kernel's BTF (some 50 ms), a walk takes about 1 µs for each open file.

    Raises KernelError: EPERM, EACCES without CAP_BPF and CAP_PERFMON; ESRCH, ENOENT before Linux 5.8.
    """

    def __init__(self) -> None:
        with ExitStack() as stack:
            self._object = stack.enter_context(closing(BpfObject("bpf_owners", "write_owner")))
            link = lib.bpf_link_create(self._object.program.fd, 0, _BPF_TRACE_ITER, ffi.NULL)
            self._link = OwnedFd(check(link, "attach the iterator over open files"))
            stack.pop_all()

    def read(self) -> list[OpenObject]:
        """Walk over all open files, and return the files of BPF objects. Raises KernelError."""
        record_bytes = ffi.sizeof("struct bpf_owner")
        with closing(OwnedFd(check(lib.bpf_iter_create(self._link.fd), "begin a walk over open files"))) as walk:
            content = b"".join(iter(lambda: os.read(walk.fd, _CHUNK_BYTES), b""))
        records = ffi.from_buffer("struct bpf_owner[]", content) if len(content) >= record_bytes else ()
        return [OpenObject(_KINDS[each.kind], each.id, each.pid, text(each.comm)) for each in records]

    def close(self) -> None:
        """Unload the iterator."""
        self._link.close()
        self._object.close()
