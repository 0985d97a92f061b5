"""The members that the documents of bench and profile share, as types."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, TypedDict

from bpftop.export.json_types import Amount, Count, ToolObject


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


class MeasurementObject(TypedDict):
    tool: ToolObject
    taken_at: Annotated[str, "The begin of the run: RFC 3339, UTC."]
    took_s: Amount
    partial: Annotated[bool, "Whether the run was interrupted before its end, so that results are missing."]
    machine: MachineObject
