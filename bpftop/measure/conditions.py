"""What the figures of the bench depend on besides the machine's description, and what this process may do."""

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
from bpftop.measure.machine import Machine

_P = ParamSpec("_P")
_T = TypeVar("_T")


@dataclass(frozen=True)
class Conditions:
    """None: this machine does not say. ``run_time_counted``: kernel.bpf_stats_enabled."""

    cpus_used: int
    l2_bytes: int | None
    clocksource: str | None
    run_time_counted: bool | None


def conditions(root: str = "/") -> Conditions:
    """Read them from /proc and /sys below ``root``."""
    base = Path(root)
    counted = _line(base / "proc/sys/kernel/bpf_stats_enabled")
    return Conditions(
        cpus_used=len(bench_cpus()),
        l2_bytes=_l2_bytes(base / f"sys/devices/system/cpu/cpu{bench_cpus()[0]}/cache"),
        clocksource=_line(base / "sys/devices/system/clocksource/clocksource0/current_clocksource"),
        run_time_counted=None if counted is None else counted != "0",
    )


def doubts(machine: Machine, here: Conditions) -> Iterator[str]:
    """What makes figures look worse than they have to be, a sentence each."""
    if machine.jit == "off":
        yield "the BPF JIT is off (net.core.bpf_jit_enable=0): programs are interpreted"
    if here.run_time_counted:
        yield "kernel.bpf_stats_enabled is 1, which adds two clock readings to every run of a BPF program"
    if machine.governor not in (None, "performance"):
        yield f"the CPU frequency governor is {machine.governor}: the clock rate follows the load"


def bench_cpus() -> list[int]:
    """The CPUs that this process may use, the last one first: the first is where most interrupts go."""
    return sorted(allowed_cpus(), reverse=True)


def crowds(cpus: int) -> list[int]:
    """How many CPUs to try at once: 1, 2, 4... and all of them."""
    return sorted({*(1 << bit for bit in range(cpus.bit_length())), cpus})


def permitted(act: Callable[_P, _T], *arguments: _P.args, **named: _P.kwargs) -> _T:
    """Do it. Where the kernel refuses a process without its capabilities, say which. Raises BpftopError, KernelError.

    That is EPERM, but for CAP_PERFMON: without it the verifier follows what a CPU might speculate, and refuses programs
    as too complex (EFAULT) or for pointer arithmetic (EACCES).
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


def _line(path: Path) -> str | None:
    try:
        return path.read_text().strip() or None
    except OSError:
        return None


def _l2_bytes(folder: Path) -> int | None:
    for cache in sorted(folder.glob("index*")):
        if _line(cache / "level") == "2":
            size = _line(cache / "size") or ""
            unit = {"K": 1 << 10, "M": 1 << 20}.get(size[-1:])
            return int(size[:-1]) * unit if unit and size[:-1].isdigit() else None
    return None
