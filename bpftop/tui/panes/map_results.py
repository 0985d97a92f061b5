"""The measurement of map operations: what to measure, the table of results, and a chart of batch sizes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bpftop.fields import frozen
from bpftop.measure.maps.plan import SINGLE_OF, Cell
from bpftop.measure.maps.results import CellResult
from bpftop.model.units import compact, ns
from bpftop.render.columns import Column, clipped
from bpftop.render.measure.operation_columns import OPERATION_COLUMNS
from bpftop.render.measure.operation_rows import OperationRow, operation_rows
from bpftop.tui.measurements.map_measurement import Axis, MapMeasurement
from bpftop.tui.moment import Moment
from bpftop.tui.widgets.chart import UPWARDS
from bpftop.tui.widgets.line import Line, Span, at_most, line, shortened, wrapped
from bpftop.tui.widgets.region import Region
from bpftop.tui.widgets.table import ReadyLine, Rows, Table

ABOUT = (
    "Each operation is timed call by call from user space, and as a loop in a BPF program that is attached nowhere "
    "(kernel), on scratch maps that are filled and thrown away. Every value that is read is compared with the value "
    "that was written. A batch lookup walks the map in its own order, and so does get_next_key. `bpftop profile "
    "--help` has more choices, and copies a live map."
)

VERDICT_LINES = 4
"""Most lines of the verdict above the chart."""


class MapVerdict(Region):
    """The verdict of a profile and, where there is room, the selected operation over the sizes of its batches."""

    def __init__(self, measurement: MapMeasurement, operations: OperationTable) -> None:
        super().__init__()
        self._measurement, self._operations = measurement, operations

    def draw(self, moment: Moment, width: int, height: int) -> Sequence[Line]:
        sentences = self._measurement.verdict
        lines = [part for sentence in sentences for part in wrapped(sentence, "notice", width)]
        lines = at_most(lines, width, min(VERDICT_LINES, height))
        curves = batch_curves(self._measurement.results)
        curve = curve_of(curves, *self._operations.selected_operation())
        if curve is None or height <= VERDICT_LINES:
            return lines
        above = [*lines, *[()] * (VERDICT_LINES - len(lines))]
        return [*above, *batch_curve_lines(curve, width, height - VERDICT_LINES)]


class ChoiceTable(Table[Axis]):
    """Choices for a measurement: a row per property, whose value the arrows change."""

    columns_are_chosen = False

    def __init__(self, measurement: MapMeasurement) -> None:
        super().__init__()
        self._measurement = measurement
        self.cursor = measurement.axes[0].name
        self._columns = (
            Column[Axis]("name", "  Measure", "", 14, "A property of the maps or of the run.", lambda axis: None,
                         lambda axis, _: f"  {axis.name}", gap=0, left=True, look="name", sortable=False),
            Column[Axis]("value", "", "", 15, "Its value; the arrows change it.", lambda axis: None,
                         self._value, gap=0, left=True, sortable=False),
        )  # fmt: skip

    def columns(self, moment: Moment) -> Sequence[Column[Axis]]:
        return self._columns

    def rows(self, moment: Moment) -> Rows[Axis]:
        return Rows.of(self._measurement.axes, lambda axis: axis.name)

    def turn(self, steps: int) -> None:
        """Choose another value of the selected property."""
        if self.cursor:
            self._measurement.turn(self.cursor, steps)
            self.redraw()

    def step_back(self) -> bool:
        return False

    def _value(self, axis: Axis, width: int) -> str:
        value = axis.values[self._measurement.choices[axis.name]][0]
        return f"‹{clipped(value, width - 2)}›" if axis.name == self.cursor else f" {clipped(value, width - 1)}"


class OperationTable(Table[OperationRow]):
    """A row per operation below the name of its map; sorted, the maps below the name of the operation."""

    def __init__(self, measurement: MapMeasurement) -> None:
        super().__init__()
        self._measurement = measurement

    def columns(self, moment: Moment) -> Sequence[Column[OperationRow]]:
        return OPERATION_COLUMNS

    def rows(self, moment: Moment) -> Rows[OperationRow]:
        measurement, words = self._measurement, self.words()
        every = operation_rows(measurement.results, measurement.earlier, self.sort == "operation")
        rows: list[OperationRow | ReadyLine] = []
        group = ""
        for row in every:
            if all(word in f"{row.group} {row.label}" for word in words):
                if row.group != group:
                    group = row.group
                    rows.append(ReadyLine(f"#{group}", shortened((Span(group, "title"),), self.size.width - 1)))
                rows.append(row)
        return Rows.of(rows, lambda row: row.key, len(every))

    def selected_operation(self) -> tuple[str, str]:
        """Return the type of map and the operation of the selected row; empty if no row is selected."""
        by_key = {result.cell.name: result.cell for result in self._measurement.results}
        cell = by_key.get(self.cursor)
        return ("", "") if cell is None else (cell.geometry.kind, cell.operation)

    def empty(self, moment: Moment) -> str:
        return "" if self._measurement.status.running else ABOUT

    def row_text(self, key: str, width: int) -> str:
        """Return the row below the name of its group."""
        keys = list(self.rows(self.moment).keys) if self.moment else []
        heading = (
            next((k[1:] for k in reversed(keys[: keys.index(key)]) if k.startswith("#")), "") if key in keys else ""
        )
        return f"{heading}\n{super().row_text(key, width)}"

    def sort_ids(self, moment: Moment) -> list[str]:
        return ["operation"]

    def row_spans(self, row: OperationRow, columns: Sequence[tuple[Column[OperationRow], int]]) -> Line:
        spans = super().row_spans(row, columns)
        if not row.absent:
            return spans
        return shortened((spans[0], Span(f"  {row.absent}", "muted")), sum(cells for _, cells in columns))


AXIS = 8
COLUMN, GAP = 4, 4
"""Cells of a size of the batch, and between two of them."""
LEAST_HEIGHT = 6


def batch_curve_lines(curve: BatchCurve, width: int, height: int) -> list[Line]:
    """Return a title, the columns, their axis with the sizes, and the values; nothing without room for that."""
    rows = height - 3
    fitting = max(2, (width - AXIS) // (COLUMN + GAP))
    points = curve.points[-fitting:]
    if height < LEAST_HEIGHT or not points:
        return []
    values = [value for _, value in points]
    top = max([*values, curve.single_ns or 0.0]) or 1.0
    level = None if curve.single_ns is None else min(rows - 1, int(curve.single_ns / top * rows))
    title = f"{curve.operation} on {curve.kind}: ns per entry, by entries in a batch"
    lines = [shortened(line((title, "title")), width)]
    for row in reversed(range(rows)):
        label = f"{ns(top):>6} ┤" if row == rows - 1 else "       │"
        cells = [UPWARDS[max(0, min(8, round((value / top * rows - row) * 8)))] * COLUMN for value in values]
        between = ("·" if row == level else " ") * GAP
        drawn = "".join(between + (between[:COLUMN] if cell.isspace() else cell) for cell in cells)
        single = f" {ns(curve.single_ns)} {' and '.join(curve.singles)}, single calls" if row == level else ""
        lines.append(line((label, "muted"), (drawn, "trend"), (single, "name")))
    sizes = "".join(f"{compact(size):─>{GAP + COLUMN}}" for size, _ in points)
    numbers = "".join(f"{ns(value):>{GAP + COLUMN}}" for value in values)
    lines += [line(("     0 ┼", "muted"), (sizes, "muted")), line((f"{'ns':>{AXIS - 1}} ", "muted"), numbers)]
    return [shortened(each, width) for each in lines]


@frozen
class BatchCurve:
    """The medians of one batch operation on one map, in ns per entry, by the size of the batch.

    ``single_ns``: the cost of an entry by the single operations ``singles``; None where they were not measured.
    """

    kind: str
    operation: str
    singles: tuple[str, ...]
    single_ns: float | None
    points: tuple[tuple[int, float], ...]


def batch_curves(results: Iterable[CellResult]) -> list[BatchCurve]:
    """Return a curve for each batch operation that was measured at several sizes, in the order of measuring."""
    known = {r.cell: r.user.summary.p50_ns for r in results if r.user is not None}
    points: dict[tuple[object, ...], dict[int, float]] = {}
    first: dict[tuple[object, ...], Cell] = {}
    for cell, p50_ns in known.items():
        if cell.batch is not None:
            sweep = (cell.geometry, cell.operation, cell.access, cell.threads)
            first.setdefault(sweep, cell)
            points.setdefault(sweep, {})[cell.batch] = p50_ns
    return [_curve(first[sweep], of_sweep, known) for sweep, of_sweep in points.items() if len(of_sweep) > 1]


def curve_of(curves: Sequence[BatchCurve], kind: str, operation: str) -> BatchCurve | None:
    """Return the curve of an operation on a map, or of the batch operation that does the same; else the first one."""
    of_kind = [curve for curve in curves if curve.kind == kind]
    exact = (curve for curve in of_kind if operation == curve.operation or operation in curve.singles)
    return next(exact, next(iter(curves), None))


def _curve(cell: Cell, points: dict[int, float], known: dict[Cell, float]) -> BatchCurve:
    singles = SINGLE_OF[cell.operation]
    costs = [
        next((ns for other, ns in known.items() if other.operation == name and _same_map(other, cell)), None)
        for name in singles
    ]
    of_singles = [ns for ns in costs if ns is not None]
    single_ns = sum(of_singles) if len(of_singles) == len(singles) else None
    return BatchCurve(cell.geometry.kind, cell.operation, singles, single_ns, tuple(sorted(points.items())))


def _same_map(cell: Cell, other: Cell) -> bool:
    return cell.batch is None and cell.geometry == other.geometry and cell.threads == other.threads
