"""The measured machine in the documents of bench and profile, as a type."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, TypedDict

from bpftop.export.json_types import Count


class MachineObject(TypedDict):
    host: str
    machine_id: str
    kernel: str
    cpu_model: str | None
    possible_cpus: Count
    online_cpus: Count
    jit: str | None
    jit_hardening: str | None
    governor: str | None
    mitigations: Annotated[Mapping[str, str], "CPU vulnerability -> the kernel's mitigation."]
