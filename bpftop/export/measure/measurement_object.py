"""The members that the documents of bench and profile share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bpftop.export.json_writing import TOOL
from bpftop.measure.api import Report
from bpftop.model.json_dump import json_value
from bpftop.model.timestamps import rfc3339

if TYPE_CHECKING:
    from bpftop.export.measure.measurement_types import MeasurementObject


def measurement_object(report: Report[object]) -> MeasurementObject:
    """Return the time, the duration and the machine of a measurement."""
    return {
        "tool": TOOL,
        "taken_at": rfc3339(report.begun_ns),
        "took_s": round(report.took_s, 3),
        "partial": report.partial,
        "machine": json_value(report.machine),
    }
