"""Files of /proc with a column or a row per CPU: what their headers say, and what to say where they make no sense."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from bpftop.collect.collector import Unavailable

CPUS_MAX = 1 << 16
"""More than Linux can be built for on any architecture (CONFIG_NR_CPUS, 8192)."""


@contextmanager
def understood(what: str, path: str) -> Iterator[None]:
    """Where the text turns out to be something else than ``path`` should hold: Unavailable, beginning with ``what``."""
    try:
        yield
    except (ValueError, IndexError, OverflowError) as error:
        raise Unavailable(f"{what}: {path} is not understood: {error}") from error


def header_cpus(header: str) -> tuple[int, ...]:
    """The CPUs of ``CPU0 CPU2 ...``, the first line of /proc/interrupts and /proc/softirqs. Raises ValueError."""
    words = header.split()
    if not words or not all(word.startswith("CPU") for word in words):
        raise ValueError("its first line names no CPUs")
    cpus = tuple(int(word[3:]) for word in words)
    if not 0 <= min(cpus) <= max(cpus) < CPUS_MAX:
        raise ValueError(f"its first line names CPU {max(cpus)}")
    return cpus
