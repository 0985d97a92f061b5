"""Readings and all arithmetic over them: sums over CPUs, columns, gains, gains per CPU, rates.

Two rules hold everywhere. The value of a cell is the sum over the CPUs that could be read, and unknown (None) only
where no CPU could be read. A row that is absent is zero in a sparse family and unknown in any other
(``Family.absent``).
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Sequence
from itertools import compress, repeat
from operator import attrgetter, ne

from bpftop.fields import computed_once, field, field_names, frozen, frozen_often, replace
from bpftop.model.families import FAMILIES, Family

Key = tuple[int | str, ...]
Cells = Sequence[int | None]

NONE_MISSING: frozenset[int] = frozenset()
"""One object for all readings: Python makes an empty set of 216 bytes each time."""

_NONE_MOVED: frozenset[Key | str] = frozenset()

_BISECT_MIN = 8
_FEW_ROWS, _MANY_ROWS = 4, 64
_MOST_INDEXES = 1024
_set = object.__setattr__


class _Slots:
    """The places of a reading's values: with places in each instance, 22 000 readings take 1 MiB less (Python 3.11)."""

    __slots__ = (
        "_cpu_totals", "_index", "_summed", "_totals",
        "cells", "cost_ns", "epoch", "family", "keys", "missing", "previous", "read_ns", "values",
    )  # fmt: skip


@frozen
class Reading(_Slots):
    """One family at one instant.

    ``values`` is row x column, or row x column x possible CPU where the family is per CPU; a row for each of ``keys``.
    ``read_ns`` is CLOCK_MONOTONIC beside this very read. Rates are never taken across two epochs. ``missing`` holds
    flat indexes into ``values`` that could not be read; their values are 0.
    """

    __slots__ = ()

    family: str
    read_ns: int
    cost_ns: int
    epoch: int
    keys: tuple[Key, ...]
    values: array[int]
    missing: frozenset[int] = field(default_factory=lambda: NONE_MISSING)  # a plain default would hide the slot
    previous: Reading | None = field(default_factory=lambda: None)
    """The reading before this one, where a family is read less often than every tick: rates are taken from it."""
    cells: Reading | None = field(default_factory=lambda: None)
    """The newest reading with a value per CPU, if ``values`` has only sums over the CPUs (recordings of many CPUs).
    Its ``previous`` is the reading before it."""

    def __init__(
        self,
        family: str,
        read_ns: int,
        cost_ns: int,
        epoch: int,
        keys: tuple[Key, ...],
        values: array[int],
        missing: frozenset[int] = NONE_MISSING,
        previous: Reading | None = None,
        cells: Reading | None = None,
    ) -> None:
        """Set field by field, which takes half the time of what ``frozen`` makes."""
        _set(self, "family", family)
        _set(self, "read_ns", read_ns)
        _set(self, "cost_ns", cost_ns)
        _set(self, "epoch", epoch)
        _set(self, "keys", keys)
        _set(self, "values", values)
        _set(self, "missing", missing)
        _set(self, "previous", previous)
        _set(self, "cells", cells)

    def __reduce__(self) -> tuple[type[Reading], tuple[object, ...]]:
        """Pickle the fields without cached properties, which are computed again at the first access."""
        return Reading, _fields_of(self)

    @property
    def stride(self) -> int:
        """Number of values of one row."""
        return len(self.values) // len(self.keys) if self.keys else 0

    @property
    def cpus(self) -> int:
        """Number of values of one cell: 1, or the possible CPUs."""
        return self.stride // len(FAMILIES[self.family].columns)

    @computed_once
    def summed(self) -> Cells:
        """Row by row a value per column, all CPUs together."""
        return sum_cpus(self)

    @computed_once
    def totals(self) -> dict[Key, tuple[int | None, ...]]:
        """Row key -> value per column, all CPUs together."""
        width = len(FAMILIES[self.family].columns)
        return {key: tuple(self.summed[row * width : (row + 1) * width]) for row, key in enumerate(self.keys)}

    @computed_once
    def cpu_totals(self) -> tuple[Sequence[int], ...]:
        """Per column, the value of every possible CPU, all rows together; empty where there are no rows."""
        columns = zip(*[columns for _, columns in self.per_cpu()], strict=True)
        return tuple([list(map(sum, zip(*rows, strict=True))) for rows in columns])

    def per_cpu(self) -> Iterator[tuple[Key, tuple[memoryview, ...]]]:
        """Yield each row's key and, per column, the values of every possible CPU."""
        stride, cpus = self.stride, self.cpus
        view = memoryview(self.values)
        for row, key in enumerate(self.keys):
            yield key, tuple([view[at : at + cpus] for at in range(row * stride, (row + 1) * stride, cpus)])

    def column(self, name: str) -> Cells:
        """Return the value of one column in every row, all CPUs together."""
        columns = FAMILIES[self.family].columns
        cells = self.values if self.cpus == 1 and not self.missing else self.summed
        return cells[columns.index(name) :: len(columns)]

    def cell(self, row: int | None, column: int) -> int | None:
        """Return one cell, all CPUs together; ``row`` None: an absent row. Adds up no other cells: 2 us."""
        family = FAMILIES[self.family]
        if row is None:
            return family.absent
        if not family.per_cpu:
            at = row * len(family.columns) + column
            return None if at in self.missing else self.values[at]
        cpus = self.cpus
        at = (row * len(family.columns) + column) * cpus
        if self.missing and self.missing.issuperset(range(at, at + cpus)):
            return None
        return self.values[at] if cpus == 1 else sum(self.values[at : at + cpus])

    def row_of(self, key: Key) -> int | None:
        """Return the index of a row; None where the row is absent."""
        rows = len(self.keys)
        if rows > _MANY_ROWS:
            return self.index.get(key)
        if rows > _FEW_ROWS:
            return _index_of(self.keys).get(key)
        return self.keys.index(key) if key in self.keys else None

    @computed_once
    def index(self) -> dict[Key, int]:
        """Row key -> index, for as long as the reading lasts: rows of flows and sockets are others at each tick."""
        return _make_index(self.keys)

    def without_cpu_cells(self) -> Reading:
        """Return the reading with one cell for all CPUs together: a tenth of its size on many CPUs.

        ``cpu_totals`` are kept. A family with a row per CPU, and readings that are condensed already, stay as they are.
        """
        if not FAMILIES[self.family].per_cpu or self.cpus <= 1:
            return self if self.previous is None else replace(self, previous=None)
        missing = frozenset([at for at, cell in enumerate(self.summed) if cell is None]) or NONE_MISSING
        values = array("Q", [cell or 0 for cell in self.summed])
        reading = Reading(self.family, self.read_ns, self.cost_ns, self.epoch, self.keys, values, missing)
        _set(reading, "_cpu_totals", tuple([array("Q", column) for column in self.cpu_totals]))
        return reading

    def read_again_at(self, read_ns: int, cost_ns: int) -> Reading:
        """Return a later reading of the same values. It shares their sums, also per CPU if this one is condensed."""
        reading = Reading(self.family, read_ns, cost_ns, self.epoch, self.keys, self.values, self.missing)
        if FAMILIES[self.family].per_cpu:
            _set(reading, "_cpu_totals", self.cpu_totals)
            _set(reading, "_summed", self.summed)
        return reading


_fields_of = attrgetter(*field_names(Reading))


_indexes: dict[int, tuple[tuple[Key, ...], dict[Key, int]]] = {}


def _index_of(keys: tuple[Key, ...]) -> dict[Key, int]:
    """Return row key -> index of few rows. It is kept, because readings share the keys while the rows are the same."""
    known = _indexes.get(id(keys))
    if known is not None and known[0] is keys:
        return known[1]
    if len(_indexes) >= _MOST_INDEXES:
        _indexes.clear()
    index = _make_index(keys)
    _indexes[id(keys)] = keys, index
    return index


def _make_index(keys: tuple[Key, ...]) -> dict[Key, int]:
    return {key: row for row, key in enumerate(keys)}


def sum_cpus(reading: Reading) -> Cells:
    """Return row by row a value per column, all CPUs together.

    Unlike ``Reading.summed`` nothing is stored in the reading: another thread may be pickling it.
    """
    cpus = reading.cpus
    if cpus <= 1 and not reading.missing:
        return reading.values
    view = memoryview(reading.values)
    sums = [sum(view[at : at + cpus]) for at in range(0, len(view), cpus)] if cpus > 1 else reading.values.tolist()
    unknown = unknown_sums(reading.missing, cpus)
    return [None if at in unknown else cell for at, cell in enumerate(sums)] if unknown else sums


def unknown_sums(missing: frozenset[int], cpus: int) -> frozenset[int]:
    """Return the indexes of sums over ``cpus`` cells of which no cell could be read."""
    if cpus <= 1 or not missing:
        return missing
    partly = {cell // cpus for cell in missing}
    return frozenset(at for at in partly if missing.issuperset(range(at * cpus, (at + 1) * cpus)))


def gain(before: int | None, after: int | None, wrap_bits: int) -> int | None:
    """Return the gain of a counter, or None where it cannot be known.

    A counter that went backwards was reset, unless it is narrower than 64 bits and was in the upper half of its
    range: then it wrapped.
    """
    if before is None or after is None:
        return None
    if after >= before:
        return after - before
    if wrap_bits < 64 and 1 << wrap_bits > before >= 1 << (wrap_bits - 1) > after:
        return after - before + (1 << wrap_bits)
    return None


def gains(before: Reading, old: Cells, after: Reading, new: Cells) -> list[int | None]:
    """Return the gain of every cell of ``new``; ``old`` and ``new`` are the ``summed`` cells of the two readings."""
    family = FAMILIES[after.family]
    if before.keys != after.keys:
        width = len(family.columns)
        row_starts = {key: row * width for row, key in enumerate(before.keys)}
        absent = (family.absent,) * width
        starts = map(row_starts.get, after.keys)
        old = [cell for at in starts for cell in (absent if at is None else old[at : at + width])]
    elif not after.missing and _are_equal(old, new):
        return [0] * len(new)
    if family.wrap_bits == 64 and isinstance(new, array) and isinstance(old, array):
        return _gains64(old, new)
    return list(map(gain, old, new, repeat(family.wrap_bits)))


def _are_equal(old: Cells, new: Cells) -> bool:
    """Return True if all cells are equal: a past reading has an array of sums, a new one a list."""
    return old is new or (old == new if type(old) is type(new) else list(old) == list(new))


def _gains64(before: Sequence[int], after: Sequence[int]) -> list[int | None]:
    """Return the gains of known 64-bit counters; as ``gain``, without a call for each of 512 CPUs."""
    if before is after:  # an idle interface
        return [0] * len(after)
    return [b - a if b >= a else None for a, b in zip(before, after, strict=False)]


@frozen_often
class ReadingPair:
    """A reading and the reading before it: same family, same epoch, earlier in time."""

    before: Reading
    after: Reading

    @property
    def elapsed_ns(self) -> int:
        return self.after.read_ns - self.before.read_ns

    @property
    def is_still(self) -> bool:
        """Return True if both readings have the same cells."""
        before, after = self.before, self.after
        same = before.values is after.values or before.values == after.values
        return same and before.keys == after.keys and before.missing == after.missing

    @computed_once
    def moved(self) -> frozenset[Key | str] | None:
        """Keys of the rows that differ between the two, or the columns that do where the family has several.

        None: rows came or went, or cells could be read in one of the two only, so that all may have moved.
        """
        before, after = self.before, self.after
        if before.keys != after.keys or before.missing != after.missing:
            return None
        if before.values is after.values or before.values == after.values:
            return _NONE_MOVED
        family = FAMILIES[after.family]
        old, new = (before.summed, after.summed) if family.per_cpu else (before.values, after.values)
        width = len(family.columns)
        if width == 1:
            return frozenset(compress(after.keys, map(ne, old, new)))
        if len(new) == width:
            return frozenset(compress(family.columns, map(ne, old, new)))
        return frozenset([name for at, name in enumerate(family.columns) if old[at::width] != new[at::width]])

    def cell_gains(self) -> list[int | None]:
        """Return the gain of every cell, row by row a gain per column, all CPUs together."""
        return gains(self.before, self.before.summed, self.after, self.after.summed)

    def gains(self) -> dict[Key, tuple[int | None, ...]]:
        """Return row key -> gain per column, all CPUs together."""
        cells = self.cell_gains()
        width = len(FAMILIES[self.after.family].columns)
        return {key: tuple(cells[row * width : (row + 1) * width]) for row, key in enumerate(self.after.keys)}

    def column_gains(self, column: str, keep: Callable[[Key], bool] | None = None) -> list[int | None]:
        """Return the gain of one column in every row, or in the rows whose key ``keep`` accepts: 20 us for 512 rows."""
        before, after = self.before, self.after
        family = FAMILIES[after.family]
        index = family.columns.index(column)
        if keep is None and before.keys == after.keys:
            old, new = before.column(column), after.column(column)
            if isinstance(old, array) and old == new:
                return [0] * len(new)
            return [0 if a == b is not None else gain(a, b, family.wrap_bits) for a, b in zip(old, new, strict=True)]
        old_rows = {key: row for row, key in enumerate(before.keys)}
        return [
            gain(before.cell(old_rows.get(key), index), after.cell(row, index), family.wrap_bits)
            for row, key in enumerate(after.keys)
            if keep is None or keep(key)
        ]

    def cell_gain(self, key: Key, column: str) -> int | None:
        """Return the gain of one cell."""
        before, after = self.before, self.after
        family = FAMILIES[after.family]
        index = family.columns.index(column)
        row = after.row_of(key)
        if row is not None and before.keys is after.keys and not family.per_cpu:
            at = row * len(family.columns) + index
            if before.values[at] == after.values[at] and not (at in before.missing or at in after.missing):
                return 0
        old_row = row if before.keys is after.keys else before.row_of(key)
        return gain(before.cell(old_row, index), after.cell(row, index), family.wrap_bits)

    def with_cpu_cells(self) -> ReadingPair | None:
        """Return the pair of the last readings that have a cell per CPU: in a recording, one or both may be older."""
        cells, cells_before = self.after.cells, self.before.cells
        if cells is not None:
            return pair_readings(cells.previous, cells)
        return self if cells_before is None else pair_readings(cells_before, self.after)

    def cpu_totals(self, cpus: int) -> list[tuple[Sequence[int], list[int | None]]]:
        """Return per column the value and the gain of every possible CPU, all rows together."""
        nothing = ([0] * cpus,) * len(FAMILIES[self.after.family].columns)
        before, after = self.before.cpu_totals or nothing, self.after.cpu_totals or nothing
        return [(new, _gains64(old, new)) for old, new in zip(before, after, strict=True)]

    def cpu_cells(self, cpu: int) -> dict[Key, tuple[tuple[int, ...], tuple[int | None, ...]]]:
        """Return row key -> the values of one CPU per column, and their gains."""
        result = {}
        for key, columns in self._after_rows.items():
            old = self._before_rows.get(key)
            values = tuple(column[cpu] for column in columns)
            before = tuple(column[cpu] for column in old) if old else (0,) * len(values)
            result[key] = (values, tuple(_gains64(before, values)))
        return result

    def moved_by_cpu(self, cpus: int) -> list[int]:
        """Return the gain of every CPU, the first column of all rows together. Rows of one reading only do not count.

        Compares rows by halves: an interrupt mostly counts on one of many CPUs.
        """
        before, after = self.before, self.after
        wrap_bits = FAMILIES[after.family].wrap_bits
        moved = [0] * cpus
        old_rows = {key: row for row, key in enumerate(before.keys)}
        for row, key in enumerate(after.keys):
            if key not in old_rows:
                continue
            at = old_rows[key] * before.stride
            old = before.values[at : at + before.cpus]
            new = after.values[row * after.stride : row * after.stride + after.cpus]
            for cpu in _differing(old, new, 0, min(cpus, len(old), len(new))):
                moved[cpu] += gain(old[cpu], new[cpu], wrap_bits) or 0
        return moved

    @computed_once
    def _before_rows(self) -> dict[Key, tuple[memoryview, ...]]:
        return dict(self.before.per_cpu())

    @computed_once
    def _after_rows(self) -> dict[Key, tuple[memoryview, ...]]:
        return dict(self.after.per_cpu())


def _differing(a: array[int], b: array[int], low: int, high: int) -> Iterator[int]:
    """Yield the indexes at which two arrays differ."""
    if a[low:high] == b[low:high]:
        return
    if high - low <= _BISECT_MIN:
        yield from (i for i in range(low, high) if a[i] != b[i])
        return
    middle = (low + high) // 2
    yield from _differing(a, b, low, middle)
    yield from _differing(a, b, middle, high)


def pair_readings(before: Reading | None, after: Reading | None) -> ReadingPair | None:
    """Pair two readings; None where no rate may be taken: first tick, new epoch, a clock that did not move on."""
    if before is None or after is None or before.epoch != after.epoch or after.read_ns <= before.read_ns:
        return None
    return ReadingPair(before, after)


def per_sec(gained: int | None, elapsed_ns: int) -> float | None:
    """Return a gain per second; None stays None."""
    return None if gained is None else gained * 1e9 / elapsed_ns


@frozen_often
class RatedReading:
    """One reading of a moment with its rates. ``pair`` is None where no rate may be taken."""

    reading: Reading
    pair: ReadingPair | None

    @property
    def family(self) -> Family:
        return FAMILIES[self.reading.family]

    @property
    def keys(self) -> tuple[Key, ...]:
        return self.reading.keys

    @property
    def elapsed_ns(self) -> int | None:
        return None if self.pair is None else self.pair.elapsed_ns

    def value(self, key: Key, column: str) -> int | None:
        """Return a cell as it was read."""
        reading, family = self.reading, self.family
        if family.per_cpu:
            return self._cell(reading.totals, key, column)
        return reading.cell(reading.row_of(key), family.columns.index(column))

    def gained(self, key: Key, column: str) -> int | None:
        """Return the gain of a cell over ``elapsed_ns``."""
        if self.pair is None:
            return None
        if self.family.per_cpu:
            return self._cell(self._gains, key, column)
        return self.family.absent if self.reading.row_of(key) is None else self.pair.cell_gain(key, column)

    def per_sec(self, key: Key, column: str) -> float | None:
        """Return the gain of a cell per second."""
        return None if self.pair is None else per_sec(self.gained(key, column), self.pair.elapsed_ns)

    def value_and_rate(self, key: Key, column: str) -> tuple[int | None, float | None]:
        """Return ``value`` and ``per_sec`` of a cell in one look: the checks read a hundred cells in every tick."""
        reading, pair = self.reading, self.pair
        family = FAMILIES[reading.family]
        row = reading.row_of(key)
        if pair is None or row is None or family.per_cpu or pair.before.keys is not reading.keys:
            return self.value(key, column), self.per_sec(key, column)
        at = row * len(family.columns) + family.columns.index(column)
        old, new = pair.before.values[at], reading.values[at]
        if at in reading.missing:
            return None, None
        if at in pair.before.missing:
            return new, None
        return new, 0.0 if old == new else per_sec(gain(old, new, family.wrap_bits), pair.elapsed_ns)

    def rates(self, column: str) -> Iterator[tuple[Key, float | None]]:
        """Return every row's key with the rate of one column."""
        pair = self.pair
        if pair is None:
            return zip(self.keys, repeat(None))
        elapsed_ns = pair.elapsed_ns
        rates = [None if gained is None else gained * 1e9 / elapsed_ns for gained in pair.column_gains(column)]
        return zip(self.keys, rates, strict=True)

    def rates_above_zero(self, column: str) -> Sequence[tuple[Key, float]]:
        """Return the rows whose rate of one column is above zero, largest first; kept, for several checks ask."""
        if column not in self._above_zero:
            moved = [(key, rate) for key, rate in self.rates(column) if rate]
            self._above_zero[column] = sorted(moved, key=lambda row: -row[1])
        return self._above_zero[column]

    @computed_once
    def _above_zero(self) -> dict[str, list[tuple[Key, float]]]:
        """Answers of ``rates_above_zero``."""
        return {}

    def _cell(self, rows: dict[Key, tuple[int | None, ...]], key: Key, column: str) -> int | None:
        row = rows.get(key)
        return self.family.absent if row is None else row[self.family.columns.index(column)]

    @computed_once
    def _gains(self) -> dict[Key, tuple[int | None, ...]]:
        return self.pair.gains() if self.pair is not None else {}
