"""The stages of the path as a document has them: where packets die, by which counter, and why a stage is not known."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bpftop.history.history import History
from bpftop.model.families import FAMILIES
from bpftop.model.path import StageCounter, stage_gained
from bpftop.model.sample import Reading, reading_key
from bpftop.model.snapshot import Snapshot
from bpftop.render.path_rows import StageLine, stage_lines
from bpftop.render.selection import Selection

_RATE_DIGITS = 3
_NO_RATE = "no rate may be taken yet: it was read once, or counts from zero again"


def losses(shown: Snapshot) -> list[dict[str, Any]]:
    """A row per stage, in the order of the path; of an interface's own stages one per interface."""
    return list(_rows(shown))


def _rows(shown: Snapshot) -> Iterator[dict[str, Any]]:
    past = History()  # rates are those of the interval, not means of what came before
    lines: dict[str, list[tuple[str, StageLine]]] = {}
    for watched in shown.interfaces:
        for one in stage_lines(Selection(shown, watched, past)):
            lines.setdefault(one.stage.id, []).append((watched.label, one))
    for found in lines.values():
        wider = found[0][1].stage.scope != "interface"
        for label, one in found[:1] if wider else found:
            yield _row(shown, "" if wider else label, one)


def _row(shown: Snapshot, label: str, one: StageLine) -> dict[str, Any]:
    stage = one.stage
    gained = stage_gained(stage, label, lambda family, where: _pair(shown, family, where))
    per_sec = None if gained is None or not gained[1] else round(gained[0] * 1e9 / gained[1], _RATE_DIGITS)
    return {
        "id": stage.id,
        "title": stage.title.strip(),
        "kind": stage.kind,
        "scope": stage.scope,
        "interface": label or None,
        "per_sec": per_sec,
        "since_start": shown.lost.get((label, stage.id)),
        "counters": [_counter(shown, counter, label) for counter in stage.counters],
        "reason": "; ".join(one.unread) or (_NO_RATE if per_sec is None else None),
    }


def _pair(shown: Snapshot, family: str, label: str) -> tuple[Reading, Reading] | None:
    """Two readings of a family, the ones that its rates are taken from."""
    signal = shown.readings.get(reading_key(family, label) if label else family)
    paired = signal.paired if signal is not None else None
    return None if paired is None else (paired.before, paired.after)


def _counter(shown: Snapshot, counter: StageCounter, label: str) -> dict[str, Any]:
    return {"name": counter.shown, "family": counter.family, "value": _value(shown, counter, label)}


def _value(shown: Snapshot, counter: StageCounter, label: str) -> int | None:
    """What it stands at: of one row, or of all that it adds up."""
    of_interface = FAMILIES[counter.family].scope == "interface"
    signal = shown.reading(counter.family, *([label] if of_interface else []))
    if signal is None:
        return None
    if counter.row is not None:
        return signal.value((label, *counter.row) if of_interface else counter.row, counter.column)
    cells = [signal.value(key, counter.column) for key in signal.keys if counter.keep is None or counter.keep(key)]
    known = [cell for cell in cells if cell is not None]
    if cells and not known:
        return None
    return max(known, default=0) if counter.largest else sum(known)


def losing(shown: Snapshot) -> list[dict[str, Any]]:
    """The rows that count into LOST and lost something in the interval."""
    return [row for row in _rows(shown) if row["kind"] == "loss" and row["per_sec"]]
