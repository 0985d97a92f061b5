"""BPF iterators: programs that the kernel runs for each file, or each map, of the machine, and that write records."""

from __future__ import annotations

import os
from contextlib import ExitStack, closing
from typing import Any, Literal

from bpftop.fields import frozen
from bpftop.kernel._libbpf import ffi, lib
from bpftop.kernel.bpf.cdata import text
from bpftop.kernel.bpf.object import BpfObject
from bpftop.kernel.bpf.owned_fd import OwnedFd
from bpftop.kernel.return_code import check

_BPF_TRACE_ITER = 28
_CHUNK_BYTES = 64 << 10

ObjectKind = Literal["program", "map", "link", "perf_event"]
_KINDS: dict[int, ObjectKind] = {
    lib.OWNED_PROGRAM: "program", lib.OWNED_MAP: "map", lib.OWNED_LINK: "link", lib.OWNED_PERF_EVENT: "perf_event",
}  # fmt: skip


class _Iterator:
    """A loaded iterator. Loading reads the kernel's BTF (some 25 ms).

    Raises KernelError: EPERM, EACCES without CAP_BPF and CAP_PERFMON; ESRCH, ENOENT where the kernel is too old.
    """

    def __init__(self, object_name: str, program: str) -> None:
        with ExitStack() as stack:
            self._object = stack.enter_context(closing(BpfObject(object_name, program)))
            link = lib.bpf_link_create(self._object.program.fd, 0, _BPF_TRACE_ITER, ffi.NULL)
            self._link = OwnedFd(check(link, f"attach the iterator {program}"))
            stack.pop_all()

    def _records(self, struct: str) -> Any:
        """Walk over everything, and return the structs that the program writes. Raises KernelError."""
        with closing(OwnedFd(check(lib.bpf_iter_create(self._link.fd), "begin a walk of a BPF iterator"))) as walk:
            content = b"".join(iter(lambda: os.read(walk.fd, _CHUNK_BYTES), b""))
        return ffi.from_buffer(f"struct {struct}[]", content) if content else ()

    def close(self) -> None:
        """Unload the iterator."""
        self._link.close()
        self._object.close()


class MapCountIterator(_Iterator):
    """The kernel's own counters of entries of all hash maps. Needs Linux 6.6: else ENOENT, ESRCH or EINVAL."""

    def __init__(self) -> None:
        super().__init__("map_counts", "write_count")

    def read(self) -> dict[int, int]:
        """Return map id -> entries of every map that the kernel has a counter for. Raises KernelError."""
        return {each.id: each.entries for each in self._records("map_count")}


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


class OwnerIterator(_Iterator):
    """The open files of all processes, about 1 µs for each. Needs Linux 5.8: else ESRCH or ENOENT."""

    def __init__(self) -> None:
        super().__init__("bpf_owners", "write_owner")

    def read(self) -> list[OpenObject]:
        """Walk over all open files, and return the files of BPF objects. Raises KernelError."""
        records = self._records("bpf_owner")
        return [OpenObject(_KINDS[each.kind], each.id, each.pid, text(each.comm)) for each in records]
