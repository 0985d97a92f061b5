"""The losses at each stage of a packet's path as rows of the snapshot document."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from bpftop.model.path import Stage, StageCounter, stage_gained
from bpftop.model.readings import ReadingPair
from bpftop.model.snapshot import Snapshot
from bpftop.render.path_rows import unread_counters, visible_stages

if TYPE_CHECKING:
    from bpftop.export.snapshot.snapshot_types import CounterObject, LossObject

_RATE_DIGITS = 3
_NO_RATE = "no rate yet: the counter was read once, or began again at zero"


def losses(snapshot: Snapshot) -> list[LossObject]:
    """Return a row per stage, in the order of the path; for an interface's own stages a row per interface."""
    return list(_rows(snapshot))


def _rows(snapshot: Snapshot) -> Iterator[LossObject]:
    labels = tuple(interface.label for interface in snapshot.interfaces)
    for stage in visible_stages(snapshot, labels):
        if stage.scope != "interface":
            yield _row(snapshot, stage, "")
            continue
        for label in labels:
            if stage in visible_stages(snapshot, (label,)):
                yield _row(snapshot, stage, label)


def _row(snapshot: Snapshot, stage: Stage, label: str) -> LossObject:
    gained = stage_gained(stage, label, lambda family, where: _pair(snapshot, family, where))
    per_sec = None if gained is None or not gained[1] else round(gained[0] * 1e9 / gained[1], _RATE_DIGITS)
    unread = unread_counters(snapshot, stage, (label,))
    return {
        "id": stage.id,
        "title": stage.title.strip(),
        "kind": stage.kind,
        "scope": stage.scope,
        "interface": label or None,
        "per_sec": per_sec,
        "since_start": snapshot.stage_totals.get((label, stage.id)),
        "counters": [_counter(snapshot, counter, label) for counter in stage.counters],
        "reason": "; ".join(unread) or (_NO_RATE if per_sec is None else None),
    }


def _pair(snapshot: Snapshot, family: str, label: str) -> ReadingPair | None:
    """Return the two readings that the rates of a family are taken from."""
    reading = snapshot.reading(family, *filter(None, (label,)))
    return reading.pair if reading is not None else None


def _counter(snapshot: Snapshot, counter: StageCounter, label: str) -> CounterObject:
    return {"name": counter.display_name, "family": counter.family, "value": _value(snapshot, counter, label)}


def _value(snapshot: Snapshot, counter: StageCounter, label: str) -> int | None:
    """Return the value of a counter: of one row, or of all its rows."""
    reading = snapshot.reading(counter.family, *([label] if counter.of_interface else []))
    if reading is None:
        return None
    if counter.row is not None:
        return reading.value(counter.key(label, counter.row), counter.column)
    cells = [reading.value(key, counter.column) for key in reading.keys if counter.keep is None or counter.keep(key)]
    known = [cell for cell in cells if cell is not None]
    if cells and not known:
        return None
    return max(known, default=0) if counter.largest else sum(known)


def losing(snapshot: Snapshot) -> list[LossObject]:
    """Return the rows that count into LOST and lost something in the interval."""
    return [row for row in _rows(snapshot) if row["kind"] == "loss" and row["per_sec"]]
