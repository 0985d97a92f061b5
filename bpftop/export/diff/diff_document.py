"""Two snapshot documents compared, ``bpftop.diff/1``: as aligned text, or as JSON."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final, NamedTuple

from bpftop.errors import BpftopError
from bpftop.export.diff.settings import FEATURES, Setting, settings
from bpftop.export.json_writing import TOOL, json_page, rounded
from bpftop.export.snapshot.snapshot_csv import cells, loss_cells
from bpftop.model.units import UNKNOWN, factor, si
from bpftop.render.comparison import RowDifference, compare
from bpftop.render.escaping import escaped_text

if TYPE_CHECKING:
    from bpftop.export.diff.diff_types import DiffDocument, Measure, MomentObject, RowObject
    from bpftop.export.snapshot.snapshot_types import SnapshotDocument

SCHEMA: Final = "bpftop.diff/1"
MEASURES: Mapping[Measure, str] = {"packets_per_sec": "pps", "bits_per_sec": "b/s"}
"""The measures that are compared -> their short units. Counts since two different times cannot be compared."""

ROWS = 40
"""The most rows of a measure in the text; JSON has all rows."""

_DIGITS = 6


class DiffRow(NamedTuple):
    """One cell of a snapshot, as in its CSV."""

    interface: str
    direction: str
    family: str
    label: str
    cpu: str
    measure: Measure


@dataclass(frozen=True)
class DiffSide:
    """A snapshot document and the name of its source. The properties raise BpftopError where a member is missing."""

    name: str
    document: SnapshotDocument

    @cached_property
    def rates(self) -> dict[DiffRow, float | None]:
        try:
            return dict(_rates(self.document))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise self._not_whole(error) from None

    @cached_property
    def settings(self) -> dict[Setting, str]:
        try:
            return settings(self.document)
        except (KeyError, TypeError, AttributeError) as error:
            raise self._not_whole(error) from None

    @cached_property
    def heading(self) -> MomentObject:
        document = self.document
        try:
            taken_at, host, interval_s = document["taken_at"], document["host"]["name"], document["interval_s"]
        except (KeyError, TypeError) as error:
            raise self._not_whole(error) from None
        if not isinstance(taken_at, str) or not isinstance(host, str):
            raise self._not_whole(TypeError("taken_at and the host's name are not strings"))
        return {"name": self.name, "taken_at": taken_at, "host": host, "interval_s": interval_s}

    def _not_whole(self, error: Exception) -> BpftopError:
        lacks = f"it has no {error.args[0]}" if isinstance(error, KeyError) else str(error)
        return BpftopError(f"{self.name} is no whole snapshot: {lacks}; take another one with `bpftop snapshot`")


def _rates(document: SnapshotDocument) -> Iterator[tuple[DiffRow, float | None]]:
    traffic = [(str(each["label"]), cell) for each in document["interfaces"] for cell in cells(each)]
    losses = loss_cells(document) if "losses" in document else ()
    for interface, (direction, family, label, cpu, measures) in (*traffic, *losses):
        for measure in MEASURES:
            if family == "losses" and measure != "packets_per_sec":
                continue  # the kernel counts no bytes of lost packets
            value = measures[measure]
            if value is not None and not (type(value) in (int, float) and math.isfinite(value)):
                raise ValueError(f"{measure} of {label or family} is {value!r:.40}")
            yield DiffRow(interface, str(direction), family, str(label), str(cpu), measure), value


def changes(before: DiffSide, after: DiffSide) -> list[RowDifference[DiffRow]]:
    """Return every row of both sides: packet rates, then bit rates; in each the largest change first."""
    rows = compare(before.rates, after.rates)
    return [change for measure in MEASURES for change in rows if change.row.measure == measure]


def changed_settings(before: DiffSide, after: DiffSide) -> list[tuple[Setting, str | None, str | None]]:
    """Return the settings that differ, with both values; None is unknown."""
    names = dict.fromkeys((*before.settings, *after.settings))
    pairs = [(name, before.settings.get(name), after.settings.get(name)) for name in names]
    return [each for each in pairs if each[1] != each[2]]


def diff_json(before: DiffSide, after: DiffSide) -> str:
    """Write the comparison with every row, changed or not."""
    document: DiffDocument = {
        "schema": SCHEMA,
        "tool": TOOL,
        "before": before.heading,
        "after": after.heading,
        "settings": [
            {"interface": setting.interface, "name": setting.name, "before": was, "after": now}
            for setting, was, now in changed_settings(before, after)
        ],
        "rows": [_row_object(change) for change in changes(before, after)],
    }
    return json_page(document)


def _row_object(change: RowDifference[DiffRow]) -> RowObject:
    row = change.row
    return {
        "interface": row.interface,
        "direction": row.direction,
        "family": row.family,
        "label": row.label,
        "cpu": row.cpu,
        "measure": row.measure,
        "before": change.before,
        "after": change.after,
        "factor": _finite(change.factor),
        "difference": _finite(change.difference),
    }


def _finite(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else rounded(value, _DIGITS)


def diff_text(before: DiffSide, after: DiffSide) -> str:
    """Write the changed settings, then the changed rows, packet rates first."""
    lines = [f"{_heading(before)}  ->  {_heading(after)}"]
    for setting, was, now in changed_settings(before, after):
        where = f"{setting.interface} " if setting.interface else ""
        lines.append(escaped_text(f"{where}{setting.name}: {_change(setting, was, now)}"))
    every_row = changes(before, after)
    for measure, unit in MEASURES.items():
        rows = [c for c in every_row if c.row.measure == measure and c.before != c.after]
        lines += ["", *_table(unit, rows[:ROWS])]
        if len(rows) > ROWS:
            lines.append(f"and {len(rows) - ROWS} rows that changed less (--format json has all)")
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _change(setting: Setting, was: str | None, now: str | None) -> str:
    """Format both values; for the features of a device, only the features that were switched on or off."""
    if setting.name != FEATURES or was is None or now is None:
        return f"{was or UNKNOWN} -> {now or UNKNOWN}"
    off, on = set(was.split()), set(now.split())
    return " ".join([*(f"-{name}" for name in sorted(off - on)), *(f"+{name}" for name in sorted(on - off))])


def _heading(side: DiffSide) -> str:
    return escaped_text(f"{side.heading['host']} {side.heading['taken_at']}")


def _table(unit: str, rows: Sequence[RowDifference[DiffRow]]) -> Iterator[str]:
    if not rows:
        yield f"{unit}: nothing changed"
        return
    names = [_name(change.row) for change in rows]
    width = max(map(len, names))
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


def _name(row: DiffRow) -> str:
    words = [row.interface, row.direction]
    if row.family == "losses":
        words.append("lost:")
    elif row.family != "total":
        words.append(row.family)
    if row.cpu:
        words.append(f"CPU {row.cpu}")
    if row.label:
        words.append(row.label)
    return escaped_text(" ".join(filter(None, words)))
