"""BPF iterators: programs that the kernel runs for each file, or each map, of the machine, and that write records."""

from __future__ import annotations

import os
from contextlib import ExitStack, closing

from bpftop.kernel._libbpf import ffi, lib
from bpftop.kernel.bpf.object import BpfObject
from bpftop.kernel.bpf.owned_fd import OwnedFd
from bpftop.kernel.return_code import check

_BPF_TRACE_ITER = 28
_CHUNK_BYTES = 64 << 10


class BpfIterator:
    """A loaded iterator. Loading reads the kernel's BTF (some 25 ms).

    Raises KernelError: EPERM, EACCES without CAP_BPF and CAP_PERFMON; ESRCH, ENOENT where the kernel is too old.
    """

    def __init__(self, object_name: str, program: str) -> None:
        with ExitStack() as stack:
            self._object = stack.enter_context(closing(BpfObject(object_name, program)))
            link = lib.bpf_link_create(self._object.program.fd, 0, _BPF_TRACE_ITER, ffi.NULL)
            self._link = OwnedFd(check(link, f"attach the iterator {program}"))
            stack.pop_all()

    def read(self) -> bytes:
        """Walk over everything, and return the records that the program writes. Raises KernelError."""
        with closing(OwnedFd(check(lib.bpf_iter_create(self._link.fd), "begin a walk of a BPF iterator"))) as walk:
            return b"".join(iter(lambda: os.read(walk.fd, _CHUNK_BYTES), b""))

    def close(self) -> None:
        """Unload the iterator."""
        self._link.close()
        self._object.close()
