"""The loaded BPF programs, or the maps, as OpenMetrics: the series of ``bpftop export --bpf``, by type and name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bpftop.export.bpf.maps import MapList
from bpftop.export.bpf.programs import ProgramList
from bpftop.export.prometheus.metrics import bpf_metrics, metrics_text
from bpftop.model.bpf.family_rows import inventory_rows, rows_of_ids
from bpftop.model.bpf.inventory import BpfInventory


def programs_openmetrics(programs: ProgramList) -> str:
    """Write runs, their time, misses and memory. Counters grow only while run statistics are on."""
    ids = (line.prog_id for line in programs.lines)
    return _text(programs.now, ids, ("bpf_programs", "bpf_program_sizes"))


def maps_openmetrics(maps: MapList) -> str:
    """Write entries, most entries and memory."""
    return _text(maps.now, (line.map_id for line in maps.lines), ("bpf_maps",))


def _text(now: BpfInventory, ids: Iterable[int], families: Sequence[str]) -> str:
    rows = rows_of_ids(inventory_rows(now), ids)
    return metrics_text(list(bpf_metrics({family: [rows[family]] for family in families})))
