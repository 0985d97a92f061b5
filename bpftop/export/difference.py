"""Two snapshot documents side by side, ``bpftop.diff/1``: as aligned text, or as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from bpftop import __version__
from bpftop.export.document import Object
from bpftop.export.long_form import cells
from bpftop.export.printable import printable
from bpftop.model.compare import Change, compare
from bpftop.model.units import UNKNOWN, factor, si

SCHEMA = "bpftop.diff/1"
MEASURES: Mapping[str, str] = {"packets_per_sec": "pps", "bits_per_sec": "b/s"}
"""What is compared: rates, for what was counted since two different times cannot be. Measure -> its short unit."""


class Row(NamedTuple):
    """One cell of a snapshot, as in its CSV."""

    interface: str
    direction: str
    family: str
    label: str
    cpu: str
    measure: str


class Moment(NamedTuple):
    """A document, and what to call where it came from."""

    name: str
    document: Object


def rates(document: Object) -> dict[Row, float | None]:
    """Every rate of a snapshot document."""
    return {
        Row(str(interface["label"]), direction, family, str(label), str(cpu), measure): measures[measure]
        for interface in document["interfaces"]
        for direction, family, label, cpu, measures in cells(interface)
        for measure in MEASURES
    }


def changes(before: Moment, after: Moment) -> list[Change[Row]]:
    """Per measure, what changed most first."""
    found = compare(rates(before.document), rates(after.document))
    return [change for measure in MEASURES for change in found if change.row.measure == measure]


def diff_json(before: Moment, after: Moment) -> str:
    """Every row, also those that stayed the same."""
    whole = {
        "schema": SCHEMA,
        "tool": {"name": "bpftop", "version": __version__},
        "before": _moment(before),
        "after": _moment(after),
        "rows": [
            {**change.row._asdict(), "before": change.before, "after": change.after, "factor": change.factor,
             "difference": change.difference}
            for change in changes(before, after)
        ],
    }  # fmt: skip
    return json.dumps(whole, indent=2, allow_nan=False) + "\n"


def _moment(moment: Moment) -> Object:
    document = moment.document
    return {
        "name": moment.name,
        "taken_at": document["taken_at"],
        "host": document["host"]["name"],
        "interval_s": document["interval_s"],
    }


def diff_text(before: Moment, after: Moment) -> str:
    """The rows that changed, packets first."""
    lines = [f"{_said(before)}  ->  {_said(after)}"]
    found = changes(before, after)
    for measure, unit in MEASURES.items():
        rows = [c for c in found if c.row.measure == measure and c.before != c.after]
        lines += ["", *_table(unit, rows)]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _said(moment: Moment) -> str:
    document = moment.document
    return f"{printable(document['host']['name'])} {document['taken_at']}"


def _table(unit: str, rows: Sequence[Change[Row]]) -> Iterator[str]:
    names = [_name(change.row) for change in rows]
    width = max(map(len, (*names, "")), default=0)
    if not rows:
        yield f"{unit}: nothing changed"
        return
    yield f"{'':<{width}}  {'before':>11} {'after':>11} {'factor':>8} {'difference':>12}"
    for name, change in zip(names, rows, strict=True):
        yield (
            f"{name:<{width}}  {si(change.before, unit):>11} {si(change.after, unit):>11} "
            f"{factor(change.after, change.before):>8} {_signed(change.difference, unit):>12}"
        )


def _signed(value: float | None, unit: str) -> str:
    if value is None:
        return UNKNOWN
    return f"{'-' if value < 0 else '+'}{si(abs(value), unit)}"


def _name(row: Row) -> str:
    words = [row.interface, row.direction]
    if row.family != "total":
        words.append(row.family)
    if row.cpu:
        words.append(f"CPU {row.cpu}")
    if row.label:
        words.append(row.label)
    return printable(" ".join(words))
