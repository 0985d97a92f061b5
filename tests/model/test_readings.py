"""Arithmetic over readings: unknown cells, absent rows, columns, and gains with and without cells per CPU."""

from __future__ import annotations

import pickle
import weakref
from array import array
from dataclasses import replace

import pytest

from bpftop.model.families import FAMILIES
from bpftop.model.readings import Key, RatedReading, Reading, ReadingPair, pair_readings, sum_cpus, unknown_sums
from tests.samples import packed, reading, softnet

KEY = ("eth0", "rx", 6)


def protocols(second: float, packets: list[int], missing: frozenset[int] = frozenset(), key: Key = KEY) -> Reading:
    values = array("Q", [*packets, *(100 * count for count in packets)])
    return packed("protocols", (key,), values, second, missing=missing)


@pytest.mark.parametrize(
    ("missing", "sums"),
    [
        (set(), [6, 600]),
        ({0}, [6, 600]),  # one CPU is offline: the sum of the others
        ({0, 1, 2}, [None, 600]),
        ({0, 1, 2, 3, 4, 5}, [None, None]),
    ],
)
def test_a_sum_is_unknown_only_without_any_cpu(missing: set[int], sums: list[int | None]) -> None:
    holed = protocols(0, [0, 2, 4], frozenset(missing))
    assert list(holed.summed) == list(sum_cpus(holed)) == sums
    assert holed.totals == {KEY: tuple(sums)}
    assert [holed.cell(0, column) for column in (0, 1)] == sums
    assert [list(holed.column(name)) for name in ("packets", "bytes")] == [[cell] for cell in sums]
    assert holed.without_cpu_cells().totals == holed.totals
    assert unknown_sums(holed.missing, 3) == {at for at, cell in enumerate(sums) if cell is None}


@pytest.mark.parametrize(("family", "absent"), [("drops", 0), ("snmp", None)])
def test_an_absent_row_is_zero_in_sparse_families_only(family: str, absent: int | None) -> None:
    key: tuple[str, ...] = ("eth0", "NO_SOCKET")[-len(FAMILIES[family].labels) :]
    other = ("x",) * len(key)
    column = FAMILIES[family].columns[0]
    before, after = reading(family, {other: [1]}, 0), reading(family, {key: [7], other: [1]}, 1)
    pair = ReadingPair(before, after)
    assert FAMILIES[family].absent is absent
    assert RatedReading(before, None).value(key, column) is absent
    gained = None if absent is None else 7
    assert pair.cell_gain(key, column) == pair.gains()[key][0] == gained
    assert pair.column_gains(column) == [gained, 0]
    assert pair.column_gains(column, keep=lambda k: k == key) == [gained]
    assert RatedReading(before, pair_readings(after, before)).gained(key, column) is None


class Process(str):
    """A name of which a test can tell whether it was freed."""

    __slots__ = ("__weakref__",)


def test_changing_rows_are_freed_with_their_reading() -> None:
    column = FAMILIES["listen_sockets"].columns[0]
    names = []
    for tick in range(3):
        rows: dict[Key, list[int]] = {(4, "0.0.0.0", port, tick, Process("nginx")): [port, 0] for port in range(1000)}
        rated = RatedReading(reading("listen_sockets", rows, tick), None)
        assert [rated.value(key, column) for key in rows] == list(range(1000))
        assert rated.value((6, "::", 1, tick, "nginx"), column) is FAMILIES["listen_sockets"].absent
        names += [weakref.ref(key[4]) for key in rows if isinstance(key[4], Process)]
        del rows, rated
    assert len(names) == 3000
    assert not any(name() for name in names)


def test_all_gains_agree_on_wrapped_and_reset_counters() -> None:
    before = softnet(0, {0: 2**32 - 2, 1: 9, 2: 5})
    after = softnet(2, {0: 3, 1: 4, 2: 5})
    pair = ReadingPair(before, after)
    expected = [5, None, 0]
    assert pair.column_gains("dropped") == expected
    assert [row[1] for row in pair.gains().values()] == expected
    assert [pair.cell_gain((cpu,), "dropped") for cpu in range(3)] == expected
    rated = RatedReading(after, pair)
    assert [rated.per_sec((cpu,), "dropped") for cpu in range(3)] == [2.5, None, 0.0]


def test_readings_that_stand_still_gain_nothing() -> None:
    before = softnet(0, {0: 4, 1: 9})
    pair = ReadingPair(before, replace(before, read_ns=10**9))
    assert pair.column_gains("dropped") == [0, 0]
    assert set(pair.gains().values()) == {(0, 0, 0, 0, 0)}
    unknown = ReadingPair(replace(before, missing=frozenset({1})), replace(before, missing=frozenset({1})))
    assert unknown.column_gains("dropped") == [None, 0]


def test_a_condensed_reading_gives_the_same_rates() -> None:
    before, after = protocols(0, [1, 2, 3]), protocols(1, [4, 2, 9])
    whole, condensed = ReadingPair(before, after), ReadingPair(before.without_cpu_cells(), after)
    assert condensed.before.cpus == 1
    assert whole.gains() == condensed.gains() == {KEY: (9, 900)}
    assert whole.cpu_totals(3) == condensed.cpu_totals(3)
    assert whole.cpu_totals(3)[0] == ([4, 2, 9], [3, 0, 6])
    assert whole.cpu_cells(2) == {KEY: ((9, 900), (6, 600))}


def test_an_empty_reading_has_no_cells() -> None:
    empty = replace(protocols(0, []), keys=())
    assert (list(empty.summed), empty.totals, list(empty.column("bytes")), empty.cpu_totals) == ([], {}, [], ())
    pair = ReadingPair(empty, protocols(1, [5, 0]))
    assert pair.gains() == {KEY: (5, 500)}
    assert pair.cpu_totals(2)[0] == ([5, 0], [5, 0])
    assert empty.without_cpu_cells().keys == ()


def test_a_pickle_has_no_cached_attributes() -> None:
    reading = protocols(0, [1, 2])
    plain = pickle.dumps(reading)
    assert reading.totals
    assert reading.cpu_totals
    assert pickle.dumps(reading) == plain
    assert pickle.loads(plain) == reading
