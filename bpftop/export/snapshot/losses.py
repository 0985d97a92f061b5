"""The losses at each stage of a packet's path as rows of the snapshot document."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

from bpftop.model.snapshot import Snapshot
from bpftop.model.stages import BY_ID, GROUPS, LossGroup, Stage, StageCounter
from bpftop.render.path_rows import stage_per_sec, unread_counters, visible_stages

if TYPE_CHECKING:
    from bpftop.export.snapshot.snapshot_types import CounterObject, LossObject, LossPeakObject

_RATE_DIGITS = 3
_NO_RATE = "no rate yet: the counter was read once, or began again at zero"


def losses(snapshot: Snapshot) -> list[LossObject]:
    """Return a row per stage, in the order of the path; for an interface's own stages a row per interface."""
    labels = tuple(interface.label for interface in snapshot.interfaces)
    return [
        _row(snapshot, stage, label)
        for stage in visible_stages(snapshot, labels)
        for label in (labels if stage.scope == "interface" else ("",))
        if not label or stage in visible_stages(snapshot, (label,))
    ]


def _row(snapshot: Snapshot, stage: Stage, label: str) -> LossObject:
    rate = stage_per_sec(snapshot, stage, label)
    per_sec = None if rate is None else round(rate, _RATE_DIGITS)
    unread = unread_counters(snapshot, stage, (label,))
    return {
        "id": stage.id,
        "title": stage.title.strip(),
        "kind": stage.kind,
        "group": stage.group,
        "scope": stage.scope,
        "interface": label or None,
        "per_sec": per_sec,
        "since_start": snapshot.stage_totals.get((label, stage.id)),
        "counters": [_counter(snapshot, counter, label) for counter in stage.counters],
        "reason": "; ".join(unread) or (_NO_RATE if per_sec is None else None),
    }


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


def loss_sums(rows: Iterable[LossObject]) -> dict[str, float | None]:
    """Add up the rates of each group; None where no rate is known.

    The sum of ``elsewhere`` leaves out what the watched interfaces lost of the counters of the host.
    """
    sums: dict[str, float | None] = dict.fromkeys(GROUPS)
    for row in rows:
        group, rate, whole = row["group"], row["per_sec"], BY_ID[row["id"]].within
        if group is None or rate is None:
            continue
        sums[group] = (sums[group] or 0.0) + rate
        if whole:
            sums["elsewhere"] = (sums["elsewhere"] or 0.0) - rate
    rest = sums["elsewhere"]
    return {**sums, "elsewhere": None if rest is None else round(max(0.0, rest), _RATE_DIGITS)}


def loss_peaks(snapshot: Snapshot) -> dict[str, LossPeakObject | None]:
    """Return the largest sum of each group since watching began; None where nothing was lost."""
    peaks: dict[str, LossPeakObject | None] = dict.fromkeys(GROUPS)
    for group, (per_sec, mono_ns) in snapshot.loss_peaks.items():
        peaks[group] = {
            "per_sec": round(per_sec, _RATE_DIGITS),
            "s_ago": round((snapshot.mono_ns - mono_ns) / 1e9, _RATE_DIGITS),
        }
    return peaks


def losing(
    snapshot: Snapshot, group: LossGroup, what: Literal["per_sec", "since_start"] = "per_sec"
) -> list[tuple[str, float, str]]:
    """Return (title, packets, interface or scope) of each row that counts into a sum and moved.

    ``what``: packets per second over the last interval, or packets since watching began.
    """
    rows = losses(snapshot)
    result = []
    for row in rows:
        if row["group"] != group or not row[what]:
            continue
        own = [r[what] or 0.0 for r in rows if BY_ID[r["id"]].within == row["id"]]
        packets = max(0.0, (row[what] or 0.0) - sum(own))
        if packets:
            title = BY_ID[BY_ID[row["id"]].within or row["id"]].title.strip()
            result.append((title, packets, row["interface"] or row["scope"]))
    return result
