"""Programs, maps and entries in JSON, compared field by field with ``bpftool -j`` in one run.

A field of bpftool that is neither compared here nor in the lists of docs/bpf.md fails the test.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, closing
from datetime import datetime
from typing import Any

import pytest

from bpftop.kernel.bpf import bpf_map, inventory
from bpftop.kernel.bpf.bpf_link import attach_tracing
from bpftop.kernel.bpf.bpf_map import BpfMap
from bpftop.kernel.bpf.object import BpfObject
from tests.cli.running import bpftop

pytestmark = pytest.mark.bpf
Row = Mapping[str, Any]

PROGRAM_FIELDS: Mapping[str, Callable[[Row], object]] = {
    "id": lambda row: row["id"],
    "type": lambda row: row["type"],
    "name": lambda row: row["name"],
    "tag": lambda row: row["tag"],
    "uid": lambda row: row["created_by_uid"],
    "loaded_at": lambda row: int(datetime.fromisoformat(row["loaded_at"]).timestamp()),
    "bytes_xlated": lambda row: row["insns"] * 8,
    "jited": lambda row: row["jited_bytes"] > 0,
    "bytes_jited": lambda row: row["jited_bytes"],
    "bytes_memlock": lambda row: row["memory_bytes"],
    "map_ids": lambda row: sorted(row["map_ids"]),
}
"""Field of bpftool -> the same in the JSON of ``bpftop progs``."""
RUN_COUNTS = ("run_time_ns", "run_cnt", "recursion_misses")
"""Fields of both that may grow between two readings, where anybody has run statistics on."""
PROGRAMS_EXPLAINED = {"gpl_compatible", "btf_id", "pids", "pinned", "orphaned", *RUN_COUNTS}

MAP_FIELDS: Mapping[str, Callable[[Row], object]] = {
    "id": lambda row: row["id"],
    "type": lambda row: row["type"],
    "name": lambda row: row["name"],
    "flags": lambda row: row["flags"],
    "bytes_key": lambda row: row["key_bytes"],
    "bytes_value": lambda row: row["value_bytes"],
    "max_entries": lambda row: row["max_entries"],
    "bytes_memlock": lambda row: row["memory_bytes"],
    "frozen": lambda row: int(row["frozen"]),
}
MAPS_EXPLAINED = {"btf_id", "pids", "pinned", "owner_prog_type", "owner_jited"}


@pytest.fixture(scope="module")
def held() -> Iterator[tuple[list[BpfObject], BpfMap]]:
    """Programs with maps of several types, and a hash without BTF with three entries."""
    with ExitStack() as stack:
        counter = stack.enter_context(closing(BpfObject("counter", "count_tc")))
        counter.program.test_run(bytes(64), 100)
        drops = stack.enter_context(closing(BpfObject("drops", "count_drop")))
        stack.enter_context(closing(attach_tracing(drops.program.fd)))
        bare = stack.enter_context(closing(bpf_map.create(bpf_map.HASH, 4, 8, 100, name="bare")))
        for key in range(3):
            bare.update(key.to_bytes(4, "little"), (key + 1).to_bytes(8, "little"))
        yield [counter, drops], bare


def of_bpftool(*words: str) -> Any:
    return json.loads(subprocess.check_output(["bpftool", "-j", *words], text=True))


def of_bpftop(*words: str) -> Any:
    done = bpftop(*words, "--format", "json")
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


def compared(kind: str, own: list[Row], fields: Mapping[str, Callable[[Row], object]], explained: set[str]) -> set[int]:
    """Compare the objects that are there before and after bpftop's reading; return their ids."""
    by_id = {row["id"]: row for row in own}
    ids = set()
    for other in of_bpftool(kind, "show"):
        if other["id"] not in by_id:
            continue  # another test loads and unloads meanwhile
        ids.add(other["id"])
        assert other.keys() - fields.keys() <= explained, other
        for name in other.keys() & fields.keys():
            said = sorted(other[name]) if isinstance(other[name], list) else other[name]
            own_value = fields[name](by_id[other["id"]])
            # bpftool derives the time from two clocks, which it reads one after the other
            assert own_value == (pytest.approx(said, abs=1) if name == "loaded_at" else said), (name, other)
    return ids


def test_programs(held: tuple[list[BpfObject], BpfMap]) -> None:
    own_ids = {each.program.prog_id for each in held[0]}
    before = run_counts(own_ids)
    own = [row for row in of_bpftop("progs", "-i", "0.1")["programs"] if row["id"] in own_ids]
    after = run_counts(own_ids)
    assert compared("prog", own, PROGRAM_FIELDS, PROGRAMS_EXPLAINED) == own_ids
    for row in own:
        for name, least, most in zip(RUN_COUNTS, before[row["id"]], after[row["id"]], strict=True):
            assert least <= row[name] <= most, (name, row)


def run_counts(ids: Collection[int]) -> dict[int, tuple[int, ...]]:
    """Return RUN_COUNTS of each program by bpftool, which leaves out zeros."""
    return {
        row["id"]: tuple(row.get(name, 0) for name in RUN_COUNTS)
        for row in of_bpftool("prog", "show")
        if row["id"] in ids
    }


def test_maps(held: tuple[list[BpfObject], BpfMap]) -> None:
    own_ids = {each for loaded in held[0] for each in inventory.map_ids_of(loaded.program.prog_id)}
    own_ids.add(held[1].info().map_id)
    own = [row for row in of_bpftop("maps", "-i", "0.1")["maps"] if row["id"] in own_ids]
    assert compared("map", own, MAP_FIELDS, MAPS_EXPLAINED) == own_ids
    assert {row["frozen"] for row in own} == {True, False}


def test_entries_without_btf_are_the_same_bytes(held: tuple[list[BpfObject], BpfMap]) -> None:
    map_id = str(held[1].info().map_id)
    own = {(row["key"], row["value"]) for row in of_bpftop("maps", map_id)["entries"]}
    assert own == {
        tuple(" ".join(byte.removeprefix("0x") for byte in row[part]) for part in ("key", "value"))
        for row in of_bpftool("map", "dump", "id", map_id)
    }


def test_decoded_entries_are_the_same(held: tuple[list[BpfObject], BpfMap]) -> None:
    """Per-CPU values CPU by CPU. Global variables are a list of one-member objects there, and one object here."""
    counter, _ = held[0]
    compared_types = set()
    for map_id in inventory.map_ids_of(counter.program.prog_id):
        own = of_bpftop("maps", str(map_id))
        others = of_bpftool("map", "dump", "id", str(map_id))
        assert len(own["entries"]) == len(others)
        for row, other in zip(own["entries"], others, strict=True):
            compared_types.add(own["map"]["type"])
            formatted = other["formatted"]
            assert formatted.keys() <= {"key", "value", "values"}
            if "key" in formatted:
                assert row["key"] == formatted["key"]
            if "values" in formatted:
                assert row["per_cpu"] == [each["value"] for each in formatted["values"]]
                assert [each["cpu"] for each in formatted["values"]] == list(range(len(row["per_cpu"])))
            else:
                assert row["value"] == merged(formatted["value"])
    assert compared_types == {"array", "percpu_array"}


def merged(value: Any) -> Any:
    """Return bpftool's sections of global variables, ``{".rodata": [{"a": 1}, {"b": 2}]}``, as one object."""
    if isinstance(value, dict) and len(value) == 1 and (section := next(iter(value))).startswith("."):
        return {name: part for each in value[section] for name, part in each.items()}
    return value
