"""Conditions of a comparison of programs: the CPUs in use, the caches, the clock, and missing privileges."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ParamSpec, TypeVar

from bpftop.errors import BpftopError
from bpftop.kernel.check import KernelError
from bpftop.kernel.measure.program_loop import allowed_cpus
from bpftop.kernel.privileges import Privileges
from bpftop.measure.machine import Machine, read_line

_P = ParamSpec("_P")
_T = TypeVar("_T")


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


def permitted(act: Callable[_P, _T], *arguments: _P.args, **named: _P.kwargs) -> _T:
    """Call a function that loads BPF programs, and name the missing capabilities in its error.

    A missing capability gives EPERM. Without CAP_PERFMON the verifier also follows speculative paths, and refuses a
    program as too complex (EFAULT) or for pointer arithmetic (EACCES). Raises BpftopError, or KernelError for another
    refusal.
    """
    try:
        return act(*arguments, **named)
    except KernelError as error:
        missing = Privileges.read().missing_to_load()
        if not missing and error.errno != errno.EPERM:
            raise
        remedy = (
            f"this process lacks {', '.join(missing)}: run it as root or with sudo"
            if missing
            else "it has the capabilities, so a container, a user namespace or a policy forbids it: run it on the host"
        )
        raise BpftopError(f"{str(error).partition(';')[0]}; {remedy}") from error


def _l2_bytes(folder: Path) -> int | None:
    for cache in sorted(folder.glob("index*")):
        if read_line(cache / "level") == "2":
            size = read_line(cache / "size") or ""
            unit = {"K": 1 << 10, "M": 1 << 20}.get(size[-1:])
            return int(size[:-1]) * unit if unit and size[:-1].isdigit() else None
    return None
