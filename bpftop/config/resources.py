"""Limits of this process: open files, threads and CPU time."""

from __future__ import annotations

import _thread
import errno
import os
import resource
from contextlib import suppress
from typing import TYPE_CHECKING

from bpftop.errors import BpftopError

if TYPE_CHECKING:
    from threading import Thread


_M_ARENA_MAX = -8
"""glibc, malloc.h."""

_STACK_BYTES = 2 << 20
"""Stack of a thread where the address space is limited, in place of 8 MiB, mostly."""


class NoThread(BpftopError):
    """The kernel gave no further thread. The text is a whole sentence."""


def raise_open_file_limit() -> None:
    """Raise the soft limit of open files, mostly 1024, to the hard limit."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def spare_address_space() -> None:
    """Have all threads share one heap where the address space is limited (ulimit -v): else each takes 64 MiB of it.

    Their stacks are smaller, too: a thread that starts without any memory left makes its starter wait for ever. The
    library that ends a thread is loaded now: without it, glibc aborts a process that ends for lack of memory.
    """
    if not address_space_is_limited():
        return
    _thread.stack_size(_STACK_BYTES)
    with suppress(ImportError, OSError, AttributeError, MemoryError):  # musl has neither these heaps nor mallopt
        import ctypes  # late: 7 to 20 ms

        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)
        ctypes.CDLL("libgcc_s.so.1")


def address_space_is_limited() -> bool:
    """Return True if this process may map only so much memory (ulimit -v)."""
    return resource.getrlimit(resource.RLIMIT_AS)[0] != resource.RLIM_INFINITY


def open_file_limit() -> int:
    """Return how many files this process may have open."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def free_files() -> int:
    """Return how many more files this process may open; 0 where /proc does not tell."""
    try:
        return open_file_limit() - len(os.listdir("/proc/self/fd"))
    except OSError:
        return 0


def require_files(number: int) -> None:
    """Raise BpftopError if fewer files than this may still be opened."""
    if free_files() < number:
        raise BpftopError(_too_few_files())


def limit_reached(number: int) -> str:
    """Return a sentence if an errno means that the limit of open files is reached, else ""."""
    return _too_few_files() if number in (errno.EMFILE, errno.ENFILE) else ""


def _too_few_files() -> str:
    return f"the limit of {open_file_limit()} open files (ulimit -n) is too low for bpftop; raise it"


_ENDED = (FileNotFoundError, ProcessLookupError)
"""Errors about a thread that ended, before its file is opened or before it is read."""


def waits_for_cpu_ns() -> dict[str, int]:
    """Return for each thread of this process how long it was ready to run and had no CPU, a throttled cgroup included.

    Empty where the kernel does not count it (CONFIG_SCHED_INFO), or no file can be opened.
    """
    waits: dict[str, int] = {}
    with suppress(OSError):
        for thread in os.listdir("/proc/self/task"):
            with suppress(*_ENDED), open(f"/proc/self/task/{thread}/schedstat") as statistics:
                waits[thread] = int(statistics.read().split()[1])  # time on a CPU, time on a run queue, turns
    return waits


_THREAD_BYTES = 10 << 20
"""Address space for a thread: a stack, and memory for its work, which other threads take from meanwhile."""


def start_thread(thread: Thread) -> None:
    """Start a thread, if it will have some memory. Raises NoThread.

    Without any, glibc ends the process, or Python waits for ever for the first sign of the thread.
    """
    try:
        if address_space_is_limited():
            import mmap

            mmap.mmap(-1, _THREAD_BYTES).close()
        thread.start()
    except (ImportError, RuntimeError, MemoryError, OSError):
        raise NoThread(
            f"no thread for {thread.name}: the limit of processes (ulimit -u, pids.max of the cgroup) or of memory "
            "(ulimit -v) is reached; raise it"
        ) from None


def why_failed(error: Exception, what: str) -> str:
    """Return a sentence about work that an unforeseen error ended; ``what`` names the work."""
    fault = f"failed through a fault in bpftop ({type(error).__name__}: {error}); please report it"
    return f"{what} {fault}" if (limit := exhausted(error)) is None else f"{what} ended: {limit}"


def exhausted(error: BaseException) -> str | None:
    """Return a sentence if an error means that a limit of this process is reached, else None.

    Python reports a missing file descriptor as a module that is not there, and a missing thread as a RuntimeError.
    """
    number = getattr(error, "errno", None)  # an OSError, or a KernelError
    if isinstance(error, MemoryError) or number == errno.ENOMEM or "failed to map segment" in str(error):
        return "the limit of memory (ulimit -v, memory.max of the cgroup) is too low for bpftop; raise it"
    if number == errno.EAGAIN and isinstance(error, OSError):  # fork; no read or write that may block comes this far
        return "the limit of processes (ulimit -u, pids.max of the cgroup) is too low for bpftop; raise it"
    if isinstance(error, RuntimeError) and "start new thread" in str(error):
        return (
            "the limit of processes (ulimit -u, pids.max of the cgroup) or of memory (ulimit -v) is too low for "
            "bpftop's threads; raise it"
        )
    no_module = isinstance(error, ImportError) and free_files() < 4
    if limit_reached(number or 0) or no_module or "Too many open files" in str(error):
        return _too_few_files()
    return None
