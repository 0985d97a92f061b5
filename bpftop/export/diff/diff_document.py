"""Two snapshot documents side by side, ``bpftop.diff/1``: as aligned text, or as JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from bpftop import __version__
from bpftop.errors import BpftopError
from bpftop.export.diff.settings import FEATURES, Setting, settings
from bpftop.export.snapshot.document import Object
from bpftop.export.snapshot.snapshot_csv import cells, loss_cells
from bpftop.model.units import UNKNOWN, factor, si
from bpftop.render.comparison import RowDifference, compare
from bpftop.render.escaping import escaped_text

SCHEMA = "bpftop.diff/1"
MEASURES: Mapping[str, str] = {"packets_per_sec": "pps", "bits_per_sec": "b/s"}
"""What is compared: rates, for what was counted since two different times cannot be. Measure -> its short unit."""

ROWS = 40
"""How many rows of a measure the text has; JSON has all."""

_DIGITS = 6


class DiffRow(NamedTuple):
    """One cell of a snapshot, as in its CSV."""

    interface: str
    direction: str
    family: str
    label: str
    cpu: str
    measure: str


@dataclass(frozen=True)
class DiffSide:
    """A document, and what to call where it came from. Its members raise BpftopError where it lacks something."""

    name: str
    document: Object

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
    def heading(self) -> Object:
        """What stands above the rows."""
        document = self.document
        try:
            found = {
                "taken_at": document["taken_at"],
                "host": document["host"]["name"],
                "interval_s": document["interval_s"],
            }
        except (KeyError, TypeError) as error:
            raise self._not_whole(error) from None
        if not all(isinstance(found[name], str) for name in ("taken_at", "host")):
            raise self._not_whole(TypeError("taken_at and the host's name are no words"))
        return {"name": self.name, **found}

    def _not_whole(self, error: Exception) -> BpftopError:
        lacks = f"it has no {error.args[0]}" if isinstance(error, KeyError) else str(error)
        return BpftopError(f"{self.name} is no whole snapshot: {lacks}; take another one with `bpftop snapshot`")


def _rates(document: Object) -> Iterator[tuple[DiffRow, float | None]]:
    every = [(str(one["label"]), cell) for one in document["interfaces"] for cell in cells(one)]
    for interface, (direction, family, label, cpu, measures) in [
        *every,
        *(loss_cells(document) if "losses" in document else ()),
    ]:
        for measure in MEASURES:
            if family == "losses" and measure != "packets_per_sec":
                continue  # nobody counts the bytes of what is lost
            value = measures[measure]
            if value is not None and not (type(value) in (int, float) and math.isfinite(value)):
                raise ValueError(f"{measure} of {label or family} is {value!r:.40}")
            yield DiffRow(interface, str(direction), family, str(label), str(cpu), measure), value


def changes(before: DiffSide, after: DiffSide) -> list[RowDifference[DiffRow]]:
    """Per measure, what changed most first."""
    found = compare(before.rates, after.rates)
    return [change for measure in MEASURES for change in found if change.row.measure == measure]


def changed_settings(before: DiffSide, after: DiffSide) -> list[tuple[Setting, str | None, str | None]]:
    """Settings that are not the same on both sides; None: not known there."""
    names = dict.fromkeys((*before.settings, *after.settings))
    pairs = [(name, before.settings.get(name), after.settings.get(name)) for name in names]
    return [each for each in pairs if each[1] != each[2]]


def diff_json(before: DiffSide, after: DiffSide) -> str:
    """Every row, also those that stayed the same."""
    whole = {
        "schema": SCHEMA,
        "tool": {"name": "bpftop", "version": __version__},
        "before": before.heading,
        "after": after.heading,
        "settings": [
            {**setting._asdict(), "before": was, "after": now}
            for setting, was, now in changed_settings(before, after)
        ],
        "rows": [
            {**change.row._asdict(), "before": change.before, "after": change.after,
             "factor": _rounded(change.factor), "difference": _rounded(change.difference)}
            for change in changes(before, after)
        ],
    }  # fmt: skip
    return json.dumps(whole, indent=2, allow_nan=False) + "\n"


def _rounded(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else round(value, _DIGITS)


def diff_text(before: DiffSide, after: DiffSide) -> str:
    """What changed of the settings, and then the rows that changed, packets first."""
    lines = [f"{_said(before)}  ->  {_said(after)}"]
    for setting, was, now in changed_settings(before, after):
        where = f"{setting.interface} " if setting.interface else ""
        lines.append(escaped_text(f"{where}{setting.name}: {_turned(setting, was, now)}"))
    found = changes(before, after)
    for measure, unit in MEASURES.items():
        rows = [c for c in found if c.row.measure == measure and c.before != c.after]
        lines += ["", *_table(unit, rows[:ROWS])]
        if len(rows) > ROWS:
            lines.append(f"and {len(rows) - ROWS} rows that changed less (--format json has all)")
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _turned(setting: Setting, was: str | None, now: str | None) -> str:
    """From what to what; of the many features of a device only those that were switched."""
    if setting.name != FEATURES or was is None or now is None:
        return f"{was or UNKNOWN} -> {now or UNKNOWN}"
    off, on = set(was.split()), set(now.split())
    return " ".join([*(f"-{name}" for name in sorted(off - on)), *(f"+{name}" for name in sorted(on - off))])


def _said(moment: DiffSide) -> str:
    return escaped_text(f"{moment.heading['host']} {moment.heading['taken_at']}")


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
