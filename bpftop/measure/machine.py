"""The machine that a figure was measured on, and the conditions of a comparison of programs: CPUs, caches, clock."""

from __future__ import annotations

import hashlib
import os
import platform
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from bpftop.kernel.measure.program_loop import allowed_cpus


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


_JIT = {"0": "off", "1": "on", "2": "on, with its code in the log"}


@dataclass(frozen=True)
class Machine:
    """Facts about a machine; None: unknown. ``machine_id`` is stable for an installed system, and no secret."""

    host: str
    machine_id: str
    kernel: str
    cpu_model: str | None
    possible_cpus: int
    online_cpus: int
    jit: str | None
    jit_hardening: str | None
    governor: str | None
    mitigations: Mapping[str, str]
    """Name of a CPU vulnerability of this machine -> state of its mitigation in the kernel."""


def machine(possible_cpus: int, root: str = "/") -> Machine:
    """Read the facts from /proc and /sys below ``root``. An unreadable fact is None."""
    base = Path(root)
    jit = read_line(base / "proc/sys/net/core/bpf_jit_enable")
    return Machine(
        host=platform.node(),
        machine_id=_machine_id(base),
        kernel=platform.release(),
        cpu_model=_cpu_model(base / "proc/cpuinfo"),
        possible_cpus=possible_cpus,
        online_cpus=os.cpu_count() or possible_cpus,
        jit=None if jit is None else _JIT.get(jit, jit),
        jit_hardening=read_line(base / "proc/sys/net/core/bpf_jit_harden"),
        governor=read_line(base / "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        mitigations=_mitigations(base / "sys/devices/system/cpu/vulnerabilities"),
    )


def read_line(path: Path) -> str | None:
    """Return the content of a one-line file; None if the file is empty or unreadable."""
    try:
        return path.read_text().strip() or None
    except OSError:
        return None


def _machine_id(base: Path) -> str:
    """Return a hash: machine-id(5) asks programs not to reveal the id itself."""
    number = read_line(base / "etc/machine-id") or platform.node()
    return hashlib.sha256(f"bpftop {number}".encode()).hexdigest()[:16]


def _cpu_model(path: Path) -> str | None:
    try:
        with path.open() as lines:
            return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), None)
    except OSError:
        return None


def _mitigations(folder: Path) -> dict[str, str]:
    try:
        files = sorted(folder.iterdir())
    except OSError:
        return {}
    states = {file.name: read_line(file) for file in files}
    return {name: state for name, state in states.items() if state is not None and state != "Not affected"}
