"""Tracing programs that count: optional parts, each loaded in a thread of its own and failing alone.

Loading one has libbpf parse the kernel's BTF: 8 ms of CPU time, and 11 MiB that are given back at once (Linux 6.18).
Links are not pinned, so whatever ends this process ends them.
"""

from __future__ import annotations

import errno
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from bpftop.collect.collector import ReadingBuilder, Unavailable
from bpftop.collect.procfs.missing_files import hidden_by
from bpftop.config.resources import NoThread, exhausted, free_files, open_file_limit, start_thread
from bpftop.errors import BpftopError
from bpftop.fields import frozen, replace
from bpftop.kernel.bpf.bpf_link import attach_tracing
from bpftop.kernel.bpf.kernel_btf import trim_memory
from bpftop.kernel.bpf.object import BpfObject
from bpftop.kernel.bpf.percpu_hash import ROWS_MAX, CountsHash, WatchedSet
from bpftop.kernel.netns import namespace_inode
from bpftop.kernel.privileges import TRACING, Privileges, missing_remedy
from bpftop.kernel.return_code import KernelError, errno_words
from bpftop.model.sample import BEING_LOADED, Interface, Key, Reading

TRACED = ("drops", "xdp_exceptions", "xdp_redirect_errors")
"""The collectors that count by tracepoints, which --no-drops switches off."""

FILES_TO_LOAD = 32
"""Free files without which nothing is loaded: programs and maps take 12, and other parts must not lack them."""

LABELS_MAX = 1024
"""Interfaces, those that went away included, whose names are known; the oldest are forgotten."""

KERNEL_BTF = Path("/sys/kernel/btf/vmlinux")


@frozen
class Counted:
    """The counts of a tracing program: key -> the count of every possible CPU, or (drops) of all together.

    ``departed`` are rows of interfaces that are watched no more: they were deleted from the map with this read, and the
    counts are the sums over all CPUs.
    """

    rows: Mapping[tuple[int, ...], Sequence[int]]
    read_ns: int
    cost_ns: int
    departed: Mapping[tuple[int, ...], int]


class Traced:
    """An attached tracing program that counts in the network namespace of the thread that makes this object.

    ``indexes`` are the watched interfaces. ``attached_ns`` is the time at which counting began at zero. Raises
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
        self._program, self._begun = program, False
        self._watched_before = frozenset(indexes)
        fixed = {"netns": namespace_inode(), **(constants or {})}
        with ExitStack() as undo:
            opened = BpfObject(name, program, fixed, target=target)
            undo.callback(opened.close)
            self._watched = WatchedSet(opened.map_fd("watched"))
            self._watched.update(indexes)
            self._counts = CountsHash(opened.map_fd("counts"), key_u32s)
            self.object = opened
            undo.callback(attach_tracing(opened.program.fd).close)
            self.attached_ns = time.monotonic_ns()
            self._undo = undo.pop_all()

    def read(self, indexes: Collection[int]) -> Counted:
        """Watch ``indexes`` from now on, and return all counts. Raises Unavailable."""
        begin_ns = time.monotonic_ns()
        try:
            self.watch(indexes)
            rows, departed = self.rows(), self._departed({0, *indexes})
        except KernelError as error:
            raise Unavailable(str(error)) from error
        end_ns = time.monotonic_ns()
        return Counted(rows, (begin_ns + end_ns) // 2, end_ns - begin_ns, departed)

    def watch(self, indexes: Collection[int]) -> None:
        """Watch ``indexes`` from now on. Raises KernelError."""
        self._watched.update(indexes)

    def rows(self) -> Mapping[tuple[int, ...], Sequence[int]]:
        """Return the counts by key. Raises KernelError, and Unavailable when the map is full."""
        rows = self._counts.read()
        if len(rows) >= ROWS_MAX:
            raise Unavailable(
                f"the table of {self._program} is full ({ROWS_MAX} rows), so some rows are missing; start bpftop again"
            )
        return rows

    def _departed(self, indexes: Collection[int]) -> Mapping[tuple[int, ...], int]:
        """Take the rows of interfaces that were not watched at the last read either: no CPU adds to them any more.

        A host that makes and deletes an interface again and again would fill the map. Raises KernelError.
        """
        known, self._watched_before = self._watched_before.union(indexes), frozenset(indexes)
        return self._counts.take_others(known)

    def since_attach(self, readings: dict[str, Reading]) -> dict[str, Reading]:
        """Return the first readings with their rates taken from the attach, when every count was zero."""
        if self._begun:
            return readings
        self._begun = True
        return {
            key: replace(reading, previous=ReadingBuilder(reading.family).reading({}, self.attached_ns, 0))
            for key, reading in readings.items()
        }

    def close(self) -> None:
        self._undo.close()


class RowsByLabel:
    """The rows of a reading, by the labels of their interfaces.

    The counts of an interface that went away stay under its label, also where the interface was made again.
    """

    def __init__(self) -> None:
        self._labels: dict[int, str] = {}
        self._departed: dict[Key, int] = {}

    def rows(
        self, interfaces: Sequence[Interface], counted: Counted, key_of: Callable[[str, tuple[int, ...]], Key]
    ) -> dict[Key, list[int]]:
        """Return the counts by the key of the reading's row, sorted.

        ``key_of`` makes that key out of a label, "" for none, and the key of a row in the map.
        """
        while len(self._labels) > LABELS_MAX:
            del self._labels[next(iter(self._labels))]
        self._labels.update((interface.ifindex, interface.label) for interface in interfaces)

        def key(row: tuple[int, ...]) -> Key:
            return key_of(self._labels.get(row[0], ""), row)

        rows = {row: [count] for row, count in self._departed.items()}
        for row, counts in counted.rows.items():
            rows.setdefault(key(row), [0])[0] += sum(counts)
        for row, count in counted.departed.items():
            self._departed[key(row)] = self._departed.get(key(row), 0) + count
        return dict(sorted(rows.items()))


class _Closable(Protocol):
    def close(self) -> None: ...


Part = TypeVar("Part", bound=_Closable)

ONE_AT_A_TIME = threading.Lock()
"""Held while a program is loaded (11 MiB) or measured beside the ticks, so that a tick finds another CPU free."""


class Late(Generic[Part]):
    """A part that is loaded in a thread of its own, so that no sample waits for it.

    ``subject`` begins the sentence about a failure; ``takes`` are the capabilities that loading takes. The thread loads
    ``load_after_s`` seconds after the first ``get``.
    """

    def __init__(self, subject: str, takes: tuple[str, ...] = TRACING, load_after_s: float = 0.0) -> None:
        self._subject, self._takes, self._load_after_s = subject, takes, load_after_s
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        self._part: Part | None = None
        self._reason = ""
        self._bug: BaseException | None = None

    def get(self, load: Callable[[], Part]) -> Part:
        """Return the part; the first call starts loading. Raises Unavailable while loading, and after a failure."""
        if self._thread is None:
            # A thread begins in the network namespace of the thread that starts it.
            thread = threading.Thread(target=self._load, args=(load,), name=f"load {self._subject}", daemon=True)
            try:
                start_thread(thread)
            except NoThread as error:
                raise Unavailable(f"{self._subject}: {error}") from None
            self._thread = thread
        if self._thread.is_alive():
            raise Unavailable(f"{self._subject}: {BEING_LOADED}")
        if self._bug is not None:
            raise self._bug
        if self._part is None:
            raise Unavailable(f"{self._subject}: {self._reason}")
        return self._part

    def close(self) -> None:
        """Unload the part. A load that has not begun is left out, a load that has begun is waited for."""
        self._closing.set()
        if self._thread is not None:
            self._thread.join()
        if self._part is not None:
            self._part.close()
            self._part = None

    def _load(self, load: Callable[[], Part]) -> None:
        self._closing.wait(self._load_after_s)
        with ONE_AT_A_TIME:
            if not self._closing.is_set():
                self._try(load)
                trim_memory()

    def _try(self, load: Callable[[], Part]) -> None:
        if free_files() < FILES_TO_LOAD:
            self._reason = f"the limit of {open_file_limit()} open files (ulimit -n) leaves no room; raise it"
            return
        try:
            self._part = load()
        except KernelError as error:
            self._reason = refusal(error, self._takes)
        except (BpftopError, OSError) as error:
            self._reason = str(error)
        except BaseException as error:  # noqa: BLE001 raised by get(), in the thread that can end the program
            self._bug = error


def no_kernel_btf() -> str:
    """Return why the kernel's BTF is not there: hidden here, or not in this kernel."""
    hidden = hidden_by(KERNEL_BTF)
    if hidden is not None:
        return f"the kernel's BTF is hidden here: {hidden}; show {KERNEL_BTF} to find tracepoints by"
    return "this kernel has no BTF to find its tracepoints by; it takes one with CONFIG_DEBUG_INFO_BTF"


def refusal(error: KernelError, takes: tuple[str, ...]) -> str:
    """Return why a program was not loaded or attached, and what to do."""
    if (limit := exhausted(error)) is not None:
        return limit
    missing = Privileges.read().missing(takes)
    if error.errno in (errno.EPERM, errno.EACCES) and missing:
        return f"{errno_words(error.errno)}; {missing_remedy(missing)}"
    if error.errno == errno.EPERM:
        return (
            f"this kernel refuses such programs, {errno_words(error.errno)}, although no capability is missing; look "
            "for a seccomp profile, a user namespace or kernel lockdown"
        )
    if error.errno == errno.ESRCH and not KERNEL_BTF.exists():
        return no_kernel_btf()
    if error.errno == errno.ESRCH:
        return "this kernel has no such tracepoint"
    return str(error)
