"""A metric with its series, before prometheus_client writes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from bpftop.fields import frozen

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
