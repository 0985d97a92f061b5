"""Optional kernel parts: tracing programs that count, each loaded in a thread of its own and failing alone.

Loading one has libbpf parse the kernel's BTF: 8 ms of CPU time, and 11 MiB that are given back at once (Linux 6.18).
Links are not pinned, so whatever ends this process ends them.
"""

from __future__ import annotations

import errno
import os
import threading
import time
from array import array
from collections.abc import Callable, Collection, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from bpftop.collect.collector import Unavailable
from bpftop.errors import BpftopError
from bpftop.kernel.bpf.kernel_btf import give_back_memory
from bpftop.kernel.bpf.link import TracingLink
from bpftop.kernel.bpf.object import BpfObject
from bpftop.kernel.bpf.percpu_hash import ROWS_MAX, CountsHash, WatchedSet
from bpftop.kernel.check import KernelError, errno_words
from bpftop.kernel.privileges import Privileges, missing_remedy

TRACING = ("CAP_BPF", "CAP_PERFMON")
"""What loading a tracing program takes."""

KERNEL_BTF = Path("/sys/kernel/btf/vmlinux")
_NAMESPACE = "/proc/thread-self/ns/net"


@dataclass(frozen=True)
class Counted:
    """What a tracing program has counted: key -> the count of every possible CPU."""

    rows: Mapping[tuple[int, ...], array[int]]
    read_ns: int
    cost_ns: int


class Traced:
    """A tracing program, loaded and attached, that counts for the network namespace of the thread that makes it.

    ``indexes`` are the watched interfaces. ``attached_ns`` is when counting began: then every count was zero. Raises
    KernelError, and OSError without /proc.
    """

    def __init__(
        self,
        name: str,
        program: str,
        key_u32s: int,
        indexes: Collection[int],
        constants: Mapping[str, int] | None = None,
        target: tuple[int, str] | None = None,
    ) -> None:
        self._program = program
        fixed = {"netns": os.stat(_NAMESPACE).st_ino, **(constants or {})}
        with ExitStack() as undo:
            opened = BpfObject(name, program, fixed, target=target)
            undo.callback(opened.close)
            self._watched = WatchedSet(opened.map_fd("watched"))
            self._watched.keep(indexes)
            self._counts = CountsHash(opened.map_fd("counts"), key_u32s)
            undo.callback(TracingLink(opened.program.fd).close)
            self.attached_ns = time.monotonic_ns()
            self._undo = undo.pop_all()

    def read(self, indexes: Collection[int]) -> Counted:
        """All counts; from now on ``indexes`` are watched. Raises Unavailable."""
        begin_ns = time.monotonic_ns()
        try:
            self._watched.keep(indexes)
            rows = self._counts.read()
        except KernelError as error:
            raise Unavailable(str(error)) from error
        end_ns = time.monotonic_ns()
        if len(rows) >= ROWS_MAX:
            raise Unavailable(
                f"the table of {self._program} is full ({ROWS_MAX} rows), so some are left out; start again"
            )
        return Counted(rows, (begin_ns + end_ns) // 2, end_ns - begin_ns)

    def close(self) -> None:
        self._undo.close()


class _Closes(Protocol):
    def close(self) -> None: ...


Part = TypeVar("Part", bound=_Closes)

_one_at_a_time = threading.Lock()  # each takes 11 MiB while it is loaded


class Late(Generic[Part]):
    """A part that is loaded in a thread of its own, so that no sample waits for it.

    ``what`` begins the sentence about a failure; ``takes`` are the capabilities that loading takes.
    """

    def __init__(self, what: str, takes: tuple[str, ...] = TRACING) -> None:
        self._what, self._takes = what, takes
        self._thread: threading.Thread | None = None
        self._part: Part | None = None
        self._reason = ""
        self._bug: BaseException | None = None

    def get(self, load: Callable[[], Part]) -> Part:
        """The part; the first call begins to load it. Raises Unavailable while it is not there, and where it failed."""
        if self._thread is None:
            # A thread begins in the network namespace of the one that starts it.
            self._thread = threading.Thread(target=self._load, args=(load,), name=f"load {self._what}", daemon=True)
            self._thread.start()
        if self._thread.is_alive():
            raise Unavailable(f"{self._what}: being loaded")
        if self._bug is not None:
            raise self._bug
        if self._part is None:
            raise Unavailable(f"{self._what}: {self._reason}")
        return self._part

    def close(self) -> None:
        if self._thread is not None:
            self._thread.join()
        if self._part is not None:
            self._part.close()
            self._part = None

    def _load(self, load: Callable[[], Part]) -> None:
        with _one_at_a_time:
            self._try(load)
            give_back_memory()

    def _try(self, load: Callable[[], Part]) -> None:
        try:
            self._part = load()
        except KernelError as error:
            self._reason = refusal(error, self._takes)
        except (BpftopError, OSError) as error:
            self._reason = str(error)
        except BaseException as error:  # noqa: BLE001 raised by get(), in the thread that can end the program
            self._bug = error


def refusal(error: KernelError, takes: tuple[str, ...]) -> str:
    """Why a tracing program was not loaded, and what to do."""
    missing = Privileges.read().missing(takes)
    if error.errno in (errno.EPERM, errno.EACCES) and missing:
        return f"{errno_words(error.errno)}; {missing_remedy(missing)}"
    if error.errno == errno.EPERM:
        return (
            f"this kernel refuses such programs, {errno_words(error.errno)}, although no capability is missing; look "
            "for a seccomp profile, a user namespace or kernel lockdown"
        )
    if error.errno == errno.ESRCH and not KERNEL_BTF.exists():
        return "this kernel has no BTF to find its tracepoints by; it takes one with CONFIG_DEBUG_INFO_BTF"
    if error.errno == errno.ESRCH:
        return "this kernel has no such tracepoint"
    return str(error)
