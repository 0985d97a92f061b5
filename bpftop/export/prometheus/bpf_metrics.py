"""The BPF programs and maps as metrics: by type and name, never by id, and at most SERIES_MAX of each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal

from bpftop.export.prometheus.named_metric import NamedMetric
from bpftop.fields import frozen
from bpftop.model.escaping import escaped_text
from bpftop.model.families import FAMILIES
from bpftop.model.readings import Cells, Key

SERIES_MAX = 100
"""Most names of a metric. The rest, with the smallest values, is added up as OTHER."""
OTHER = ("other", "other")

_TYPE, _NAME = 1, 2


@frozen
class BpfMetric:
    """A column of a family as a metric. Values are multiplied by ``scale``."""

    name: str
    kind: Literal["counter", "gauge"]
    help: str
    family: str
    column: str
    scale: float = 1.0


ObjectRows = Mapping[Key, Cells]
"""The rows of a reading: key -> a value per column."""

BPF_METRICS = (
    BpfMetric("bpftop_bpf_program_runs", "counter", "runs of BPF programs, while run statistics are on",
              "bpf_programs", "run_cnt"),
    BpfMetric("bpftop_bpf_program_run_seconds", "counter",
              "time in BPF programs, while run statistics are on, their own time included", "bpf_programs",
              "run_time_ns", 1e-9),
    BpfMetric("bpftop_bpf_program_recursion_misses", "counter",
              "runs that the kernel left out, as the program ran on that CPU already", "bpf_programs",
              "recursion_misses"),
    BpfMetric("bpftop_bpf_program_memory_bytes", "gauge", "memory charged for BPF programs", "bpf_program_sizes",
              "memory_bytes"),
    BpfMetric("bpftop_bpf_map_entries", "gauge", "entries of BPF maps", "bpf_maps", "entries"),
    BpfMetric("bpftop_bpf_map_max_entries", "gauge", "most entries of BPF maps", "bpf_maps", "max_entries"),
    BpfMetric("bpftop_bpf_map_memory_bytes", "gauge", "memory charged for BPF maps", "bpf_maps", "memory_bytes"),
)  # fmt: skip
BPF_FAMILIES = tuple(dict.fromkeys(metric.family for metric in BPF_METRICS))


def bpf_metrics(by_family: Mapping[str, Sequence[ObjectRows]]) -> Iterator[NamedMetric]:
    """Yield each metric of these families; its series are ``(type, name)`` -> the sum over all objects of that name."""
    for metric in BPF_METRICS:
        if metric.family in by_family:
            series = _bounded(_sums(metric, by_family[metric.family]))
            yield NamedMetric(metric.kind, metric.name, metric.help, ("type", "name"), series)


def _sums(metric: BpfMetric, readings: Iterable[ObjectRows]) -> dict[tuple[str, ...], float]:
    sums: dict[tuple[str, ...], float] = {}
    column = FAMILIES[metric.family].columns.index(metric.column)
    for rows in readings:
        for key, values in rows.items():
            value = values[column]
            if value is not None:
                where = escaped_text(str(key[_TYPE])), escaped_text(str(key[_NAME]))
                sums[where] = sums.get(where, 0.0) + value * metric.scale
    return sums


def _bounded(sums: Mapping[tuple[str, ...], float]) -> dict[tuple[str, ...], float]:
    ranked = sorted(sums.items(), key=lambda row: -row[1])
    kept = dict(ranked[:SERIES_MAX])
    if len(ranked) > SERIES_MAX:
        kept[OTHER] = sum(value for _, value in ranked[SERIES_MAX:])
    return kept
