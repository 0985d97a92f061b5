"""Many hosts at one moment: as a line of JSON, ``bpftop.fleet/1``, or as lines of a table."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from bpftop.export.json_writing import TOOL, rounded
from bpftop.fields import replace
from bpftop.fleet.host_state import HostState
from bpftop.model.findings import Finding
from bpftop.model.json_dump import dump_json
from bpftop.model.snapshot import Counts
from bpftop.model.timestamps import clock_time, rfc3339
from bpftop.render.columns import text_table
from bpftop.render.fleet_rows import FLEET_COLUMNS, FleetLine, fleet_lines, host_lines, remark

if TYPE_CHECKING:
    from bpftop.export.fleet.fleet_types import (
        FleetDocument,
        FleetHostObject,
        FleetInterfaceObject,
        GravestObject,
        RatesObject,
    )

SCHEMA: Final = "bpftop.fleet/1"


def fleet_json(states: Sequence[HostState], wall_ns: int) -> str:
    """Write the document as one line."""
    document: FleetDocument = {
        "schema": SCHEMA,
        "tool": TOOL,
        "taken_at": rfc3339(wall_ns),
        "hosts": [_host(state) for state in states],
    }
    return dump_json(document) + "\n"


def _host(state: HostState) -> FleetHostObject:
    retry_s = None if state.retry_s is None else max(0.0, state.retry_s - time.monotonic())
    return {
        "host": state.host,
        "contact": state.contact,
        "why": state.why or None,
        "retry_in_s": rounded(retry_s),
        "taken_at": None if state.snapshot is None else rfc3339(state.snapshot.wall_ns),
        "skipped_lines": state.skipped,
        "interfaces": [_interface(line) for line in host_lines(state) if line.label],
    }


def _interface(line: FleetLine) -> FleetInterfaceObject:
    finding = line.finding
    return {
        "name": line.label,
        "state": line.link,
        "rx": _rates(line.rx),
        "tx": _rates(line.tx),
        "lost_per_sec": rounded(line.lost_per_sec),
        "softirq_share": rounded(line.softirq),
        "finding": None if finding is None else _gravest(finding),
    }


def _gravest(finding: Finding) -> GravestObject:
    return {"id": finding.id, "severity": finding.severity, "title": finding.title}


def _rates(counts: Counts) -> RatesObject:
    return {"packets_per_sec": rounded(counts.packets_per_sec), "bits_per_sec": rounded(counts.bits_per_sec)}


def fleet_table(states: Sequence[HostState], wall_ns: int) -> str:
    """Write a table with a line for the time, as wide as the names and remarks need."""
    lines = fleet_lines(states)
    widths = {
        "host": max(len(line.state.host) for line in lines),
        "interface": 2 + max(len("interface"), *(len(line.label) for line in lines)),
        "finding": 2 + max(len("finding"), *(len(remark(line)) for line in lines)),
    }
    columns = [replace(column, width=widths.get(column.id, column.width)) for column in FLEET_COLUMNS]
    rows = [line.rstrip() for line in text_table(columns, lines)]
    return "\n".join([f"{clock_time(wall_ns)}  {_sentence(states)}", *rows]) + "\n"


def _sentence(states: Sequence[HostState]) -> str:
    watched = sum(state.contact == "watching" for state in states)
    return f"{watched} of {len(states)} hosts watched"
