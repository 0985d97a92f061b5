"""Description of the machine that a figure was measured on."""

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
