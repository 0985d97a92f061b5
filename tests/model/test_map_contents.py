"""Entries of maps in words: hexadecimal without BTF, sums over CPUs, rates, search and order."""

from __future__ import annotations

from bpftop.model.bpf.btf import BtfValue
from bpftop.model.bpf.map_contents import (
    EntryRow,
    add_values,
    decode_entry,
    matching,
    numbers,
    sorted_by,
    text_of,
    with_rates,
)

ROW: BtfValue = {"packets": 3, "name": "eth0", "ok": True, "cells": [{"bytes": 1}, {"bytes": 2}]}


def test_without_types_bytes_are_hexadecimal() -> None:
    row = decode_entry(b"\x01\x00", (b"\xff\x02",), None, 0, 0)
    assert (row.key, row.value, row.per_cpu) == ("01 00", "ff 02", ())


def test_values_of_cpus_are_added_number_by_number() -> None:
    assert add_values([ROW, ROW]) == {
        "packets": 6, "name": "eth0", "ok": True, "cells": [{"bytes": 2}, {"bytes": 4}]
    }  # fmt: skip
    assert add_values([1, 2.5, 3]) == 6.5


def test_a_value_in_one_line() -> None:
    assert text_of(ROW) == "packets=3 name=eth0 ok=True cells=[bytes=1, bytes=2]"
    assert text_of({"a": {"b": 1}}) == "a={b=1}"
    assert text_of(7) == "7"


def test_numbers_have_paths() -> None:
    assert numbers(ROW) == {"packets": 3, "cells.0.bytes": 1, "cells.1.bytes": 2}
    assert numbers(5) == {"value": 5}


def test_rates_are_of_keys_that_both_readings_have() -> None:
    before = [EntryRow("a", 10), EntryRow("b", 1)]
    after = [EntryRow("a", 30), EntryRow("c", 5)]
    rows = with_rates(before, after, 2 * 10**9)
    assert [row.per_sec for row in rows] == [(("value", 10.0),), ()]


def test_search_and_order() -> None:
    rows = [EntryRow("a", {"n": 1}), EntryRow("Bee", {"n": 7}), EntryRow("c", "text")]
    assert [row.key for row in matching(rows, "bee")] == ["Bee"]
    assert [row.key for row in matching(rows, "n=7")] == ["Bee"]
    assert [row.key for row in sorted_by(rows, "n")] == ["Bee", "a", "c"]
