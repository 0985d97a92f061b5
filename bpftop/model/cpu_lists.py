"""CPU sets in the kernel's formats: lists (``0-3,8``), masks (``0000000f``) and headers (``CPU0 CPU2``)."""

from __future__ import annotations

from collections.abc import Sequence

CPUS_MAX = 1 << 16
"""More CPUs than Linux can be built for on any architecture (CONFIG_NR_CPUS is at most 8192)."""


def parse_cpu_list(text: str) -> tuple[int, ...]:
    """Return the CPUs of a list such as ``0-3,8`` (Documentation/admin-guide/cputopology.rst).

    Raises:
        ValueError: the text is not such a list.
    """
    cpus: list[int] = []
    for part in text.strip().split(","):
        if part:
            first, _, last = part.partition("-")
            cpus += range(int(first), int(last or first) + 1)
    return tuple(cpus)


def parse_cpu_mask(text: str) -> tuple[int, ...]:
    """Return the CPUs of a hexadecimal mask such as ``00000000,0000000f``: 32-bit words, the highest first.

    Raises:
        ValueError: the text is not such a mask.
    """
    bits = int(text.strip().replace(",", "") or "0", 16)
    return tuple(cpu for cpu in range(bits.bit_length()) if bits >> cpu & 1)


def parse_cpu_header(header: str) -> tuple[int, ...]:
    """Return the CPUs of ``CPU0 CPU2 ...``, the header of /proc/interrupts and /proc/softirqs. Raises ValueError."""
    words = header.split()
    if not words or not all(word.startswith("CPU") for word in words):
        raise ValueError("its first line names no CPUs")
    cpus = tuple(int(word[3:]) for word in words)
    if not 0 <= min(cpus) <= max(cpus) < CPUS_MAX:
        raise ValueError(f"its first line names CPU {max(cpus)}")
    return cpus


def format_cpu_list(cpus: Sequence[int]) -> str:
    """Return rising CPU numbers as a list such as ``0-3,8``."""
    runs: list[list[int]] = []
    for cpu in cpus:
        if runs and cpu == runs[-1][-1] + 1:
            runs[-1][-1] = cpu
        else:
            runs.append([cpu, cpu])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)
