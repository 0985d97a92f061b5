"""The machine that something was measured on: what a figure depends on besides the kernel's code."""

from __future__ import annotations

import hashlib
import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_JIT = {"0": "off", "1": "on", "2": "on, with its code in the log"}


@dataclass(frozen=True)
class Machine:
    """What is not known is None. ``machine_id`` is the same for as long as the system is installed, and no secret."""

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
    """Name of a CPU vulnerability that concerns this machine -> what the kernel does about it."""


def machine(possible_cpus: int, root: str = "/") -> Machine:
    """Read it from /proc and /sys below ``root``. What cannot be read is not known, and no error."""
    base = Path(root)
    jit = _line(base / "proc/sys/net/core/bpf_jit_enable")
    return Machine(
        host=platform.node(),
        machine_id=_machine_id(base),
        kernel=platform.release(),
        cpu_model=_cpu_model(base / "proc/cpuinfo"),
        possible_cpus=possible_cpus,
        online_cpus=os.cpu_count() or possible_cpus,
        jit=None if jit is None else _JIT.get(jit, jit),
        jit_hardening=_line(base / "proc/sys/net/core/bpf_jit_harden"),
        governor=_line(base / "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        mitigations=_mitigations(base / "sys/devices/system/cpu/vulnerabilities"),
    )


def _line(path: Path) -> str | None:
    try:
        return path.read_text().strip() or None
    except OSError:
        return None


def _machine_id(base: Path) -> str:
    """machine-id(5) asks not to give the number itself away."""
    number = _line(base / "etc/machine-id") or platform.node()
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
    found = {file.name: _line(file) for file in files}
    return {name: said for name, said in found.items() if said is not None and said != "Not affected"}
