"""Conditions of a comparison of programs: the CPUs in use, the caches and the clock."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bpftop.kernel.measure.program_loop import allowed_cpus
from bpftop.measure.machine import Machine, read_line


@dataclass(frozen=True)
class Conditions:
    """Conditions that figures depend on; None: unknown. ``run_time_counted`` is kernel.bpf_stats_enabled."""

    cpus_used: int
    l2_bytes: int | None
    clocksource: str | None
    run_time_counted: bool | None


def conditions(root: str = "/") -> Conditions:
    """Read the conditions from /proc and /sys below ``root``."""
    base = Path(root)
    counted = read_line(base / "proc/sys/kernel/bpf_stats_enabled")
    return Conditions(
        cpus_used=len(bench_cpus()),
        l2_bytes=_l2_bytes(base / f"sys/devices/system/cpu/cpu{bench_cpus()[0]}/cache"),
        clocksource=read_line(base / "sys/devices/system/clocksource/clocksource0/current_clocksource"),
        run_time_counted=None if counted is None else counted != "0",
    )


def doubts(machine: Machine, conditions: Conditions) -> Iterator[str]:
    """Yield a sentence for each setting that makes the figures worse."""
    if machine.jit == "off":
        yield "the BPF JIT is off (net.core.bpf_jit_enable=0): programs are interpreted"
    if conditions.run_time_counted:
        yield "kernel.bpf_stats_enabled is 1, which adds two clock readings to every run of a BPF program"
    if machine.governor not in (None, "performance"):
        yield f"the CPU frequency governor is {machine.governor}: the clock rate follows the load"


def bench_cpus() -> list[int]:
    """Return the CPUs that this process may use, the last CPU first: most interrupts go to the first CPU."""
    return sorted(allowed_cpus(), reverse=True)


def cpu_counts(cpus: int) -> list[int]:
    """Return the numbers of CPUs to run on at once: 1, 2, 4... and all CPUs."""
    return sorted({*(1 << bit for bit in range(cpus.bit_length())), cpus})


def _l2_bytes(folder: Path) -> int | None:
    for cache in sorted(folder.glob("index*")):
        if read_line(cache / "level") == "2":
            size = read_line(cache / "size") or ""
            unit = {"K": 1 << 10, "M": 1 << 20}.get(size[-1:])
            return int(size[:-1]) * unit if unit and size[:-1].isdigit() else None
    return None
