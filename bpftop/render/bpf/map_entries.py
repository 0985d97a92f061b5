"""Columns for the entries of a map on the screen: one per field of the value, so that each can be sorted by."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from bpftop.model.bpf.btf import BtfValue
from bpftop.model.bpf.map_contents import EntryRow, leaves, text_of
from bpftop.model.units import UNKNOWN, si
from bpftop.render.columns import Column

FIELDS_MAX = 12
"""Most fields with a column of their own; the column of the whole value has all of them."""
SAMPLED_ROWS = 50
_KEY_WIDTH, _NUMBER_WIDTH, _TEXT_WIDTH = 40, 13, 17


def leaf(value: BtfValue, path: str) -> float | str | None:
    """Return the number or text at a path; None where a value of another shape has none."""
    at: BtfValue = value
    for step in path.split("."):
        if isinstance(at, dict):
            if step not in at:
                return None
            at = at[step]
        elif isinstance(at, list):
            if not (step.isdecimal() and int(step) < len(at)):
                return None
            at = at[int(step)]
    return None if isinstance(at, dict | list) else str(at) if isinstance(at, bool) else at


def entry_columns(rows: Sequence[EntryRow]) -> tuple[Column[EntryRow], ...]:
    """Return the key, a column per field with its change per second, and the whole value where that has more."""
    sampled = rows[:SAMPLED_ROWS]
    paths = (path for row in sampled for path, _ in islice(leaves(row.value), FIELDS_MAX + 1))
    fields = list(islice(dict.fromkeys(paths), FIELDS_MAX + 1))
    longest = max((len(text_of(row.key)) for row in sampled), default=3)
    columns = [
        Column[EntryRow]("key", "key", "", min(_KEY_WIDTH, max(4, longest)), "the key", lambda row: text_of(row.key),
                         form=str, left=True, gap=0, stretch=max(0, longest - _KEY_WIDTH), look="name"),
    ]  # fmt: skip
    if fields == ["value"] and any(isinstance(row.value, str) for row in sampled):
        return (*columns, _whole(0))
    rates = any(row.per_sec for row in sampled)
    for rank, path in enumerate(fields[:FIELDS_MAX]):
        is_text = any(isinstance(leaf(row.value, path), str) for row in sampled)
        columns.append(_field(path, rank, is_text=is_text))
        if rates and not is_text:
            columns.append(_rate(path, rank))
    return (*columns, _whole(FIELDS_MAX)) if len(fields) > FIELDS_MAX or not fields else tuple(columns)


def _field(path: str, rank: int, *, is_text: bool) -> Column[EntryRow]:
    def value(row: EntryRow) -> float | str | None:
        return leaf(row.value, path)

    def text(row: EntryRow, width: int) -> str:
        return _text(value(row), width)

    width = max(len(path) + 2, _TEXT_WIDTH if is_text else _NUMBER_WIDTH)
    return Column(path, path, "", width, "a field of the value, added up over the CPUs", value, text, rank=rank,
                  gap=2, left=is_text)  # fmt: skip


def _rate(path: str, rank: int) -> Column[EntryRow]:
    title = f"{path}/s"
    return Column(title, title, "1/s", max(len(title) + 2, 10), "change per second since the reading before",
                  lambda row: dict(row.per_sec).get(path), rank=rank, gap=2)  # fmt: skip


def _whole(rank: int) -> Column[EntryRow]:
    return Column("all", "value", "", 14, "the whole value, added up over the CPUs", lambda row: text_of(row.value),
                  form=str, rank=rank, left=True, gap=2, stretch=1000)  # fmt: skip


def _text(value: float | str | None, width: int) -> str:
    """Return the number exactly where it fits, else rounded."""
    if value is None:
        return UNKNOWN
    if isinstance(value, float):
        return f"{value:.6g}"
    return str(value) if isinstance(value, str) or len(str(value)) <= width else si(value)
