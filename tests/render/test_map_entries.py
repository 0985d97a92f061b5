"""Columns for the entries of a map: a column per field, exact numbers, rates, and the whole value where it has more."""

from __future__ import annotations

from bpftop.model.bpf.btf import BtfValue
from bpftop.model.bpf.map_contents import EntryRow
from bpftop.render.bpf.loaded_maps import flags_text
from bpftop.render.bpf.map_entries import FIELDS_MAX, entry_columns, leaf


def cells(*rows: EntryRow) -> list[dict[str, str]]:
    return [{column.id: column.cell(row, column.width - column.gap) for column in entry_columns(rows)} for row in rows]


def test_fields_have_columns_and_rates() -> None:
    row = EntryRow(7, {"packets": 12, "name": "eth0", "on": True}, (), (("packets", 2.5), ("on", 0.0)))
    assert cells(row) == [{"key": "7", "packets": "12", "packets/s": "2.5", "name": "eth0", "on": "True"}]


def test_a_value_that_nothing_describes_is_a_text() -> None:
    assert cells(EntryRow("00 01", "ff ff")) == [{"key": "00 01", "all": "ff ff"}]


def test_the_whole_value_stands_beside_the_first_fields_of_many() -> None:
    value: BtfValue = {f"field{number}": number for number in range(FIELDS_MAX + 1)}
    columns = [column.id for column in entry_columns([EntryRow(1, value)])]
    assert columns == ["key", *(f"field{number}" for number in range(FIELDS_MAX)), "all"]


def test_numbers_are_exact_where_they_fit() -> None:
    exact, rounded = cells(EntryRow(1, {"n": 12_345_678_901}), EntryRow(2, {"n": 2**63}))
    assert (exact["n"], rounded["n"]) == ("12345678901", "9223 P")


def test_a_leaf_by_its_path() -> None:
    value: BtfValue = {"cells": [{"packets": 3}, {"packets": 4}]}
    assert leaf(value, "cells.1.packets") == 4
    assert leaf(value, "cells.2.packets") is None
    assert leaf(value, "cells.1") is None
    assert leaf(value, "other") is None


def test_flags_in_words() -> None:
    assert flags_text(0) == "none"
    assert flags_text(0x401) == "no_prealloc, mmapable"
    assert flags_text(1 << 31) == "0x80000000"
