"""Processes that have file descriptors of BPF objects, listed by a BPF iterator over all open files of the machine."""

from __future__ import annotations

from typing import Literal

from bpftop.fields import frozen
from bpftop.kernel._libbpf import ffi, lib
from bpftop.kernel.bpf.bpf_iterator import BpfIterator
from bpftop.kernel.bpf.cdata import text

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
    """The loaded iterator. A walk takes about 1 µs for each open file.

    Raises KernelError as ``BpfIterator`` does: ESRCH, ENOENT before Linux 5.8.
    """

    def __init__(self) -> None:
        self._iterator = BpfIterator("bpf_owners", "write_owner")

    def read(self) -> list[OpenObject]:
        """Walk over all open files, and return the files of BPF objects. Raises KernelError."""
        content = self._iterator.read()
        records = ffi.from_buffer("struct bpf_owner[]", content) if content else ()
        return [OpenObject(_KINDS[each.kind], each.id, each.pid, text(each.comm)) for each in records]

    def close(self) -> None:
        """Unload the iterator."""
        self._iterator.close()
