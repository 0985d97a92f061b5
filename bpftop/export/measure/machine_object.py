"""The measured machine as an object of a document."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpftop.measure.machine import Machine

if TYPE_CHECKING:
    from bpftop.export.measure.machine_types import MachineObject


def machine_object(machine: Machine) -> MachineObject:
    """Convert the description of a machine for a document."""
    return {
        "host": machine.host,
        "machine_id": machine.machine_id,
        "kernel": machine.kernel,
        "cpu_model": machine.cpu_model,
        "possible_cpus": machine.possible_cpus,
        "online_cpus": machine.online_cpus,
        "jit": machine.jit,
        "jit_hardening": machine.jit_hardening,
        "governor": machine.governor,
        "mitigations": dict(machine.mitigations),
    }
