"""The bench document, ``bpftop.bench/1``, as types: every member with its meaning. Unknown is None, never 0."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, TypedDict

from bpftop.export.json_types import Amount, Count, Limits, Positive
from bpftop.export.measure.measurement_types import MeasurementObject


class SpreadObject(TypedDict):
    median: float
    low: float
    high: float


class ProgramCostObject(TypedDict):
    """The program on a number of CPUs at once, a pinned thread on each."""

    cpus: Annotated[Positive, "The number of CPUs that ran the program at the same time."]
    ns: Annotated[Amount, "Median ns of one operation on each CPU, above an empty program; never below 0."]
    net_ns: Annotated[
        SpreadObject, "The measured difference to an empty program. The difference of two times can be negative."
    ]
    gross_ns: Annotated[SpreadObject, "The measured time with nothing subtracted."]
    rounds: Annotated[Positive, "The number of measurements."]
    spread_pct: Annotated[Amount, "(high - low) / median of gross_ns, in percent."]
    ops_per_sec: Annotated[float | None, "Operations per second of all these CPUs; null where the cost is too small."]
    run: Annotated[Count | None, "Runs of a counting program; null for other programs."]
    counted: Annotated[Count | None, "The runs that the program's map has counted."]
    lost_pct: Annotated[float | None, "(run - counted) / run, in percent."]


class ProgramRowObject(TypedDict):
    name: str
    what: str
    ns: Annotated[Amount, "by_cpus[0].ns"]
    spread_pct: Annotated[Amount, "The largest spread_pct of by_cpus."]
    ops_per_sec: Annotated[float | None, "Operations per second on one CPU."]
    factor: Annotated[float | None, "How many times as fast as the reference, on one CPU."]
    xlated_insns: Annotated[Count | None, "Instructions after the verifier's rewriting."]
    jited_bytes: Annotated[Count | None, "Bytes of machine code; 0 without a JIT."]
    returns: Annotated[str | None, "The values that the program returned; with their numbers where frames differ."]
    by_cpus: Annotated[list[ProgramCostObject], Limits(minItems=1)]
    remark: Annotated[str | None, "The rank among helpers; how many programs share a figure."]


class SkippedObject(TypedDict):
    name: str
    reason: str


class SuiteObject(TypedDict):
    name: str
    title: str
    unit: Annotated[str, "The measured operation: packet, body, key, call."]
    partial: Annotated[bool, "Whether the suite was interrupted before all rounds were done."]
    verdict: Annotated[str | None, "A sentence; null where partial."]
    reference: Annotated[str, "The row that factors refer to."]
    taken_off: Annotated[str | None, "The time that was subtracted."]
    budget: Annotated[str | None, "The key in budgets_ns of the hook whose programs are compared."]
    rows: list[ProgramRowObject]
    skipped: Annotated[list[SkippedObject], "The programs that this kernel refused."]


class ConditionsObject(TypedDict):
    cpus_used: Count
    l2_bytes: Count | None
    clocksource: str | None
    run_time_counted: Annotated[
        bool | None, "kernel.bpf_stats_enabled, which adds two clock readings to every run of a program."
    ]


class LineRateObject(TypedDict):
    bits_per_sec: Count
    frame_bytes: Count
    packets_per_sec: Count


class BenchDocument(MeasurementObject):
    schema: Literal["bpftop.bench/1"]
    warnings: Annotated[list[str], "Sentences: reasons to doubt the figures."]
    conditions: ConditionsObject
    budgets_ns: Annotated[Mapping[str, float], "Hook -> the time that a program there may take, by rule of thumb."]
    line_rate: LineRateObject
    suites: list[SuiteObject]


DEFINITIONS: Mapping[str, object] = {"suite": SuiteObject, "row": ProgramRowObject, "cost": ProgramCostObject}
