"""A snapshot as Prometheus metrics: the families of the registry, and the results of the rules.

There are series per protocol and per CPU, never per protocol and CPU: with 128 CPUs and 20 protocols fewer than 700.
Unreadable numbers have no series. Times are seconds and counters end in ``_total``, by the rules of Prometheus.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.openmetrics.exposition import generate_latest
from prometheus_client.registry import Collector, CollectorRegistry

from bpftop import __version__
from bpftop.fields import frozen
from bpftop.model.escaping import escaped_text
from bpftop.model.families import BREAKDOWN_FAMILIES, FAMILIES, TRAFFIC, Family
from bpftop.model.findings import NO_DIAGNOSIS, SEVERITIES
from bpftop.model.readings import Cells, Key
from bpftop.model.sample import DIRECTIONS, Reading
from bpftop.model.snapshot import DirectionTraffic, Snapshot
from bpftop.rules.table import BY_ID

MetricRows = Mapping[tuple[str, ...], float | None]
"""Label values -> value, which may be unknown."""


@frozen
class NamedMetric:
    """A metric with its series. A row whose value is unknown has no series."""

    kind: Literal["counter", "gauge"]
    name: str
    help: str
    labels: Sequence[str]
    rows: MetricRows

    def family(self) -> Metric:
        """Return the metric for a registry of prometheus_client."""
        make = CounterMetricFamily if self.kind == "counter" else GaugeMetricFamily
        family: CounterMetricFamily | GaugeMetricFamily = make(self.name, self.help, labels=self.labels)
        for values, value in self.rows.items():
            if value is not None:
                family.add_metric(values, value)
        return family


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


_ALONG = (("l3", 0), ("cast", 1), ("size", 2))
_WHERE = ("interface", "direction")


def metrics(snapshot: Snapshot | None) -> Iterator[NamedMetric]:
    """Yield every metric of a snapshot; without a snapshot, every possible metric without rows."""
    yield from _tick(snapshot)
    yield from _traffic(snapshot)
    by_family: dict[str, list[Reading]] = {}
    if snapshot is None:
        by_family = {name: [] for name in FAMILIES if name not in TRAFFIC}
    else:
        for rated in snapshot.readings.values():
            by_family.setdefault(rated.reading.family, []).append(rated.reading)
    for name, readings in by_family.items():
        if FAMILIES[name].in_metrics:
            yield from _family(FAMILIES[name], readings)
    yield from bpf_metrics(
        {family: [reading.totals for reading in by_family.get(family, ())] for family in BPF_FAMILIES}
    )
    yield from _findings(snapshot)
    parts: MetricRows = {(escaped_text(part),): 1.0 for part in (snapshot.unavailable if snapshot is not None else ())}
    yield NamedMetric("gauge", "bpftop_unavailable", "parts that cannot be read here", ("part",), parts)
    yield NamedMetric("gauge", "bpftop_build_info", "the version that runs", ("version",), {(__version__,): 1.0})


def _tick(snapshot: Snapshot | None) -> Iterator[NamedMetric]:
    """Yield the number of samples and the time of the newest: whether the sampler runs, and how old the numbers are."""
    counted: MetricRows = {} if snapshot is None else {(): snapshot.seq + 1}
    yield NamedMetric("counter", "bpftop_samples", "samples taken since the start", (), counted)
    taken: MetricRows = {} if snapshot is None else {(): snapshot.wall_ns / 1e9}
    yield NamedMetric("gauge", "bpftop_sample_time_seconds", "when the newest of them was taken, Unix time", (), taken)


def _traffic(snapshot: Snapshot | None) -> Iterator[NamedMetric]:
    """Yield the counts of bpftop's programs: by protocol, CPU, each label of the joint cells, and each breakdown."""
    flows: list[tuple[tuple[str, str], DirectionTraffic]] = [
        ((escaped_text(w.label), d), w.traffic(d))
        for w in (snapshot.interfaces if snapshot is not None else ())
        for d in DIRECTIONS
        if w.traffic(d).protocols
    ]
    every = [((*where, row.name), row.counts) for where, traffic in flows for row in traffic.protocols]
    by_protocol = "by IP protocol or pseudo-protocol"
    yield _counter("protocol_packets", f"frames {by_protocol}", "protocol", {key: cell.packets for key, cell in every})
    yield _counter("protocol_bytes", f"bytes {by_protocol}", "protocol", {key: cell.bytes for key, cell in every})
    cpus: MetricRows = {
        (*where, str(row.cpu)): row.counts.packets
        for where, traffic in flows
        for row in traffic.cpus
        if row.online or row.counts.packets
    }
    yield _counter("cpu_packets", "frames by CPU", "cpu", cpus)
    for label, position in _ALONG:
        along: MetricRows = {
            (*where, name): cell.packets for where, f in flows for name, cell in f.along(position).items()
        }
        yield _counter(f"frame_{label}_packets", f"frames by {label}", label, along)
    for family in BREAKDOWN_FAMILIES[1:]:  # the joint cells are along each label above
        parts: MetricRows = {
            (*where, *map(str, key)): cell.packets
            for where, traffic in flows
            for key, cell in traffic.breakdowns.get(family.name, {}).items()
        }
        yield NamedMetric("counter", f"bpftop_{family.metric_name}_packets", family.help, family.labels, parts)


def _counter(name: str, help_text: str, label: str, rows: MetricRows) -> NamedMetric:
    return NamedMetric("counter", f"bpftop_{name}", help_text, (*_WHERE, label), rows)


def _family(family: Family, readings: Sequence[Reading]) -> Iterator[NamedMetric]:
    positions = family.series_labels
    labels = tuple(family.labels[at] for at in positions)
    for index, column in enumerate(family.columns):
        rows: dict[tuple[str, ...], float] = {}
        for reading in readings:
            for key, values in reading.totals.items():
                value = values[index]
                if value is not None:
                    where = tuple(escaped_text(str(key[at])) for at in positions)
                    rows[where] = rows.get(where, 0.0) + value / (1e9 if column.endswith("_ns") else 1)
        yield NamedMetric(family.kind, _name(family, column), family.help, labels, rows)


def _name(family: Family, column: str) -> str:
    unit = f"{column[:-3]}_seconds" if column.endswith("_ns") else column
    return f"bpftop_{family.metric_name}" + ("" if unit == "count" else f"_{unit}")


def _findings(snapshot: Snapshot | None) -> Iterator[NamedMetric]:
    """Yield the severity of each rule (0 nothing, 1 info, 2 warning, 3 critical) and the number of blind rules."""
    diagnosis = NO_DIAGNOSIS if snapshot is None else snapshot.diagnosis
    interfaces = () if snapshot is None else snapshot.interfaces
    without_input = diagnosis.without_input
    rows: dict[tuple[str, ...], float] = {}
    for rule in (BY_ID[name] for name in diagnosis.rule_ids if name not in without_input):
        names = [w.label for w in interfaces] if rule.scope == "interface" else [""]
        rows.update({(rule.id, rule.scope, escaped_text(name)): 0.0 for name in names})
    for finding in diagnosis.findings:
        name = escaped_text(finding.scope_name) if finding.scope == "interface" else ""
        rows[(finding.id, finding.scope, name)] = 1.0 + SEVERITIES.index(finding.severity)
    help_text = "gravest finding of the check: 0 none, 1 info, 2 warning, 3 critical; absent without its input"
    yield NamedMetric("gauge", "bpftop_finding_severity", help_text, ("id", "scope", "interface"), rows)
    blind: MetricRows = {(): float(len(diagnosis.blind))}
    help_text = "checks whose input cannot be read; not those that do not apply here"
    yield NamedMetric("gauge", "bpftop_rules_blind", help_text, (), blind)


class MetricList(Collector):
    """The collector of metrics that are known already, for a registry of prometheus_client."""

    def __init__(self, found: Sequence[NamedMetric]) -> None:
        self._found = found

    def collect(self) -> Iterable[Metric]:
        return (metric.family() for metric in self._found)


def registry_with(found: Sequence[NamedMetric]) -> CollectorRegistry:
    """Return a registry with these metrics alone, without the metrics of the Python process."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(MetricList(found))
    return registry


def registry_of(snapshot: Snapshot) -> CollectorRegistry:
    """Return a registry with the metrics of a snapshot alone."""
    return registry_with(list(metrics(snapshot)))


def metrics_text(found: Sequence[NamedMetric]) -> str:
    """Write metrics as OpenMetrics text (version 1.0.0)."""
    text: str = generate_latest(registry_with(found)).decode()
    return text


def openmetrics(snapshot: Snapshot) -> str:
    """Write the OpenMetrics text (version 1.0.0) of a snapshot."""
    return metrics_text(list(metrics(snapshot)))
