"""The registry of output formats: for each kind of document its formats, and the function that writes each of them.

A module of the registry is imported when its format is loaded, so that a command pays for the chosen format alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from bpftop.model.snapshot import Snapshot


class OutputFormat(NamedTuple):
    """The module and function that write a document in one format.

    ``public`` formats hold no address and no process name, so their files may be readable by all. A ``serial`` function
    takes ``first``: whether its text begins the output (titles of columns) or follows another text. A ``text`` format
    is for people: characters that their terminal lacks may be replaced. A ``page`` function returns a JSON document.
    """

    module: str
    function: str
    public: bool = False
    serial: bool = False
    text: bool = False
    page: bool = False

    def load(self) -> Callable[..., Any]:
        """Import the module and return a function that writes the document."""
        function: Callable[..., Any] = getattr(import_module(self.module), self.function)
        if not self.page:
            return function
        from bpftop.export.json_writing import json_page

        return lambda value: json_page(function(value))


_SNAPSHOT = "bpftop.export.snapshot"
_MEASURE = "bpftop.export.measure"
_OPENMETRICS = OutputFormat("bpftop.export.prometheus.metrics", "openmetrics", public=True)

SNAPSHOT: Mapping[str, OutputFormat] = {
    "json": OutputFormat(f"{_SNAPSHOT}.document", "json_text"),
    "table": OutputFormat(f"{_SNAPSHOT}.text", "table", public=True, text=True),
    "csv": OutputFormat(f"{_SNAPSHOT}.snapshot_csv", "csv_rows", public=True),
    "openmetrics": _OPENMETRICS,
    "markdown": OutputFormat(f"{_SNAPSHOT}.markdown", "snapshot_markdown", text=True),
}
"""One snapshot as a document of its own."""

TICK: Mapping[str, OutputFormat] = {
    "table": OutputFormat(f"{_SNAPSHOT}.text", "tick_lines", serial=True, text=True),
    "json": OutputFormat(f"{_SNAPSHOT}.document", "json_line"),
    "csv": OutputFormat(f"{_SNAPSHOT}.snapshot_csv", "csv_rows", public=True, serial=True),
    "openmetrics": _OPENMETRICS,
    "markdown": OutputFormat(f"{_SNAPSHOT}.markdown", "snapshot_markdown", serial=True, text=True),
}
"""One of many snapshots in the same output."""

_DIAGNOSIS_TEXT = OutputFormat("bpftop.export.diagnosis.report", "text", text=True)
DIAGNOSIS: Mapping[str, OutputFormat] = {
    "table": _DIAGNOSIS_TEXT,
    "json": OutputFormat("bpftop.export.diagnosis.diagnosis_document", "diagnosis", page=True),
    "markdown": OutputFormat("bpftop.export.diagnosis.report", "markdown", text=True),
    "text": _DIAGNOSIS_TEXT,
}
"""The text for people is ``table``, as everywhere; ``text`` is its first name."""

DIFF: Mapping[str, OutputFormat] = {
    "table": OutputFormat("bpftop.export.diff.diff_document", "diff_text", public=True, text=True),
    "json": OutputFormat("bpftop.export.diff.diff_document", "diff_json", public=True),
}
FLEET: Mapping[str, OutputFormat] = {
    "table": OutputFormat("bpftop.export.fleet.fleet_document", "fleet_table", text=True),
    "json": OutputFormat("bpftop.export.fleet.fleet_document", "fleet_json"),
}
"""Many hosts at one moment."""

_FLOWS = "bpftop.export.flows.flows_document"
FLOWS: Mapping[str, OutputFormat] = {
    "table": OutputFormat(_FLOWS, "flows_table", text=True),
    "json": OutputFormat(_FLOWS, "flows_json"),
    "csv": OutputFormat(_FLOWS, "flows_csv"),
    "markdown": OutputFormat(_FLOWS, "flows_markdown", text=True),
}
"""The busiest flows of a moment."""

BENCH: Mapping[str, OutputFormat] = {
    "table": OutputFormat(f"{_MEASURE}.programs_text", "ending_text", public=True, text=True),
    "json": OutputFormat(f"{_MEASURE}.programs_document", "document", public=True, page=True),
    "csv": OutputFormat(f"{_MEASURE}.programs_document", "csv_text", public=True),
}
"""A bench. As a table, each suite is written when it is done (programs_text.table_text); the format ends the output."""

PROFILE: Mapping[str, OutputFormat] = {
    "table": OutputFormat(f"{_MEASURE}.maps_text", "table", public=True, text=True),
    "json": OutputFormat(f"{_MEASURE}.maps_document", "document", public=True, page=True),
    "csv": OutputFormat(f"{_MEASURE}.maps_document", "csv_text", public=True),
}

_BPF = "bpftop.export.bpf"
PROGRAMS: Mapping[str, OutputFormat] = {
    "table": OutputFormat(f"{_BPF}.programs", "table", text=True),
    "json": OutputFormat(f"{_BPF}.programs", "document", page=True),
    "csv": OutputFormat(f"{_BPF}.programs", "csv_text"),
    "openmetrics": OutputFormat(f"{_BPF}.openmetrics", "programs_openmetrics", public=True),
}
MAPS: Mapping[str, OutputFormat] = {
    "table": OutputFormat(f"{_BPF}.maps", "table", text=True),
    "json": OutputFormat(f"{_BPF}.maps", "document", page=True),
    "csv": OutputFormat(f"{_BPF}.maps", "csv_text"),
    "openmetrics": OutputFormat(f"{_BPF}.openmetrics", "maps_openmetrics", public=True),
}
MAP_CONTENTS: Mapping[str, OutputFormat] = {
    "table": OutputFormat(f"{_BPF}.maps", "content_table", text=True),
    "json": OutputFormat(f"{_BPF}.maps", "content_document", page=True),
    "csv": OutputFormat(f"{_BPF}.maps", "content_csv"),
}


def tick_writer(format_name: str) -> Callable[[Snapshot, bool], str]:
    """Load a format of TICK. The function that is returned takes a snapshot, and whether its text begins the output."""
    chosen = TICK[format_name]
    function = chosen.load()
    if chosen.serial:
        return lambda snapshot, first: str(function(snapshot, first=first))
    return lambda snapshot, _first: str(function(snapshot))
