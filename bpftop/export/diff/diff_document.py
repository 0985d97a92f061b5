"""Two snapshot documents compared, ``bpftop.diff/1``: as aligned text, or as JSON."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from bpftop.errors import BpftopError
from bpftop.export.json_writing import TOOL, json_page, rounded
from bpftop.export.snapshot.snapshot_csv import cells, loss_cells
from bpftop.fields import frozen
from bpftop.model.escaping import escaped_text
from bpftop.model.stages import BY_ID
from bpftop.model.units import UNKNOWN, factor, si
from bpftop.render.cell_words import cell_words
from bpftop.render.comparison import RowDifference, compare

if TYPE_CHECKING:
    from bpftop.export.diff.diff_types import Change, DiffDocument, DiffMeasure, MomentObject, RowObject
    from bpftop.export.snapshot.snapshot_types import HostObject, InterfaceObject, SnapshotDocument

SCHEMA: Final = "bpftop.diff/1"
MEASURES: Mapping[DiffMeasure, str] = {"packets_per_sec": "pps", "bits_per_sec": "b/s"}
"""The measures that are compared -> their short units. Counts since two different times cannot be compared."""

ROWS = 40
"""The most rows in the text without --all; JSON has all rows."""

ALIKE = 0.1
"""Rates that differ by at most this share of the larger rate, or by less than 1/s, count as unchanged."""

_RANKS: Mapping[Change, int] = {"new": 0, "gone": 0, "grown": 1, "shrunk": 1, "unknown": 2, "unchanged": 3}
"""Rows of a lower rank come first; within a rank, the largest change."""
_DIGITS = 6


class DiffRow(NamedTuple):
    """One cell of a snapshot, as in its CSV."""

    interface: str
    direction: str
    family: str
    label: str
    cpu: str
    measure: DiffMeasure


@frozen
class DiffSide:
    """A snapshot document and the name of its source. The properties raise BpftopError where a member is missing."""

    name: str
    document: SnapshotDocument

    @cached_property
    def rates(self) -> dict[DiffRow, float | None]:
        with self._only_whole():
            return dict(_rates(self.document))

    @cached_property
    def settings(self) -> dict[Setting, str]:
        with self._only_whole():
            return settings(self.document)

    @cached_property
    def heading(self) -> MomentObject:
        document = self.document
        with self._only_whole():
            taken_at, host, interval_s = document["taken_at"], document["host"]["name"], document["interval_s"]
            if not isinstance(taken_at, str) or not isinstance(host, str):
                raise TypeError("taken_at and the host's name are not strings")
            return {"name": self.name, "taken_at": taken_at, "host": host, "interval_s": interval_s}

    @contextmanager
    def _only_whole(self) -> Iterator[None]:
        try:
            yield
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            lacks = f"it has no {error.args[0]}" if isinstance(error, KeyError) else str(error)
            message = f"{self.name} is no whole snapshot: {lacks}; take another one with `bpftop snapshot`"
            raise BpftopError(message) from None


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


def change_of(difference: RowDifference[DiffRow]) -> Change:
    """Return the kind of a change in a word.

    A row that the other side has not, or has without packets, is new or gone. A row whose rate is not known on a side
    that has the row is unknown.
    """
    before, after = difference.before, difference.after
    if before is None and after is None:
        return "unknown"
    if not before or not after:
        return "new" if after else "gone" if before else "unchanged"
    if abs(after - before) <= max(ALIKE * max(before, after), 1.0):
        return "unchanged"
    return "grown" if after > before else "shrunk"


def sentence(before: DiffSide, after: DiffSide) -> str:
    """Say in a sentence what changed most: new and gone rows first, then the row with the largest difference."""
    rows = _ordered(before, after, "packets_per_sec")
    counts = Counter(str(kind) for kind, _ in rows)
    changed = [f"{counts[kind]} {kind}" for kind in ("new", "gone", "grown", "shrunk") if counts[kind]]
    if not changed:
        return "Nothing changed by more than 10 %."
    kind, most = rows[0]
    rates = f"{si(most.before or 0.0, 'pps')} -> {si(most.after or 0.0, 'pps')}"
    return f"{kind.capitalize()}: {_name(most.row)} ({rates}); in all {', '.join(changed)}."


def _ordered(before: DiffSide, after: DiffSide, measure: DiffMeasure) -> list[tuple[Change, RowDifference[DiffRow]]]:
    """Return the rows of a measure with the kind of their change: new and gone first, then the largest difference."""
    rows = [(change_of(each), each) for each in changes(before, after) if each.row.measure == measure]
    return sorted(rows, key=lambda each: (_RANKS[each[0]], -_size(each[1])))


def _size(difference: RowDifference[DiffRow]) -> float:
    return abs((difference.after or 0.0) - (difference.before or 0.0))


def diff_json(before: DiffSide, after: DiffSide) -> str:
    """Write the comparison with every row, changed or not."""
    document: DiffDocument = {
        "schema": SCHEMA,
        "tool": TOOL,
        "sentence": sentence(before, after),
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
        "change": change_of(change),
        "before": change.before,
        "after": change.after,
        "factor": _finite(change.factor),
        "difference": _finite(change.difference),
    }


def _finite(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else rounded(value, _DIGITS)


def diff_text(before: DiffSide, after: DiffSide, *, every_row: bool = False) -> str:
    """Write a sentence, the changed settings, then the changed rows: new and gone first, then the largest change.

    ``every_row``: write also the rows that did not change, and any number of rows.
    """
    lines = [f"{_heading(before)}  ->  {_heading(after)}", escaped_text(sentence(before, after))]
    changed = changed_settings(before, after)
    lines += ["", *(escaped_text(_setting_line(*each)) for each in changed)] if changed else []
    rows = _ordered(before, after, "packets_per_sec")
    visible = rows if every_row else [each for each in rows if each[0] not in ("unchanged", "unknown")]
    visible = visible if every_row else visible[:ROWS]
    if visible:
        bits = {
            each.row._replace(measure="packets_per_sec"): each for _, each in _ordered(before, after, "bits_per_sec")
        }
        lines += ["", *_table(visible, bits)]
    if len(visible) < len(rows):
        lines.append(f"{len(rows) - len(visible)} more rows changed less, or not by more than 10 % (--all)")
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _setting_line(setting: Setting, was: str | None, now: str | None) -> str:
    where = f"{setting.interface} " if setting.interface else ""
    return f"{where}{setting.name}: {_change(setting, was, now)}"


def _change(setting: Setting, was: str | None, now: str | None) -> str:
    """Format both values; for the features of a device, only the features that were switched on or off."""
    if setting.name != FEATURES or was is None or now is None:
        return f"{was or UNKNOWN} -> {now or UNKNOWN}"
    off, on = set(was.split()), set(now.split())
    return " ".join([*(f"-{name}" for name in sorted(off - on)), *(f"+{name}" for name in sorted(on - off))])


def _heading(side: DiffSide) -> str:
    return escaped_text(f"{side.heading['host']} {side.heading['taken_at']}")


def _table(
    rows: Sequence[tuple[Change, RowDifference[DiffRow]]], bits: Mapping[DiffRow, RowDifference[DiffRow]]
) -> Iterator[str]:
    names = [_name(each.row) for _, each in rows]
    width = max(map(len, names))
    yield f"{'':<9}  {'':<{width}}  {'before':>11} {'after':>11} {'factor':>8}  {'bit/s before':>12} {'after':>11}"
    for name, (kind, each) in zip(names, rows, strict=True):
        size = bits.get(each.row)
        rates = "" if size is None else f"{si(size.before, 'b/s'):>12} {si(size.after, 'b/s'):>11}"
        yield (
            f"{kind:<9}  {name:<{width}}  {si(each.before, 'pps'):>11} {si(each.after, 'pps'):>11} "
            f"{factor(each.after, each.before):>8}  {rates}"
        )


def _name(row: DiffRow) -> str:
    """Return the words for a row: ``eth0 RX TCP``, ``eth0 RX packets of <=64 bytes on CPU 3``, ``lost: backlog``."""
    if row.family == "losses":
        title = BY_ID[row.label].title.strip() if row.label in BY_ID else row.label
        return escaped_text(" ".join(filter(None, (row.interface, "lost:", title))))
    cpu = f"on CPU {row.cpu}" if row.cpu else ""
    words = cell_words(row.family, row.label)
    return escaped_text(" ".join(filter(None, (row.interface, row.direction.upper(), words, cpu))))


FEATURES = "features"
"""The setting that lists all features that are on."""

_OF_INTERFACE: tuple[Literal["driver", "mtu", "speed_bits_per_sec"], ...] = ("driver", "mtu", "speed_bits_per_sec")
_OF_DEVICE = ("firmware", "numa_node")
_TABLES = ("ring", "channels", "coalesce")


class Setting(NamedTuple):
    """The name of a setting. ``interface`` is empty for settings of the machine."""

    interface: str
    name: str


def settings(document: SnapshotDocument) -> dict[Setting, str]:
    """Return the known settings as text. Raises KeyError and TypeError where members of the document are missing."""
    values = {Setting("", name): value for name, value in _of_host(document["host"])}
    for interface in document["interfaces"]:
        values.update({Setting(str(interface["label"]), name): value for name, value in _of_interface(interface)})
    return {setting: str(value) for setting, value in values.items() if value is not None}


def _of_host(host: HostObject) -> Iterator[tuple[str, object]]:
    yield "kernel", host.get("kernel")
    yield "online CPUs", len(host["online_cpus"])
    yield from (host.get("sysctls") or {}).items()


def _of_interface(interface: InterfaceObject) -> Iterator[tuple[str, object]]:
    for property in _OF_INTERFACE:
        yield property, interface[property]
    for direction, hook in interface["hooks"].items():
        yield f"{direction} hook", " ".join(filter(None, (hook["hook"], hook["mode"])))
    device: Mapping[str, Any] = interface.get("device") or {}
    for name in _OF_DEVICE:
        yield name, device.get(name)
    for table in _TABLES:
        for name, value in (device.get(table) or {}).items():
            yield f"{table} {name}", value
    if device.get("features") is not None:
        yield FEATURES, " ".join(device["features"])
    if device.get("rss") is not None:
        yield "RSS", ", ".join(f"queue {queue}: {entries}" for queue, entries in device["rss"].items())
