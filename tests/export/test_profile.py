"""A made-up profile as text, JSON and CSV: all three say the same."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from importlib.resources import files
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from bpftop.export.formats import PROFILE
from bpftop.export.measure.maps_document import csv_text, document
from bpftop.export.measure.maps_text import table
from bpftop.kernel.bpf.bpf_map import MapInfo
from bpftop.measure.machine import Machine
from bpftop.measure.maps.geometry import KINDS, Geometry
from bpftop.measure.maps.live_map import LiveMap
from bpftop.measure.maps.plan import Cell, MeasurePlan, MeasureRequest
from bpftop.measure.maps.results import USER_NS, CellResult, MapReport, OperationCost, batch_factors
from bpftop.measure.run_store import FigureChange
from bpftop.measure.statistics import Spread, Summary
from bpftop.model.units import ns

SCHEMA: dict[str, Any] = json.loads(files("bpftop.export.measure").joinpath("profile.schema.json").read_text())
MACHINE = Machine("web-17", "0123456789abcdef", "6.18.0", "A CPU", 2, 2, "on", "0", None, {"spectre_v2": "Mitigation"})
TITLES = f"{'operation':<22}" + (
    " batch    p50   p90   p99   max  mean    op/s spread factor    p50    op/s checked  change"
)


def geometry(kind: str) -> Geometry:
    chosen = KINDS[kind]
    return Geometry(chosen.type, chosen.flags, 10_000, 8, 16, 7_500, kind)


def cost(p50_ns: float, spread_pct: float = 2.0) -> OperationCost:
    summary = Summary(5000, p50_ns * 0.9, p50_ns, p50_ns * 1.1, p50_ns * 1.5, 2_930_000.0, p50_ns * 1.05)
    half = spread_pct / 200
    return OperationCost(summary, 1e9 / p50_ns, Spread(5, p50_ns, p50_ns * (1 - half), p50_ns * (1 + half)))


def result(kind: str, operation: str, p50_ns: float | None, batch: int | None = None, **more: Any) -> CellResult:
    access = "walk" if operation in ("get_next_key", "lookup_batch") else "uniform"
    cell = Cell(geometry(kind), operation, access, batch, 1)
    why = "" if p50_ns is not None else "not in this kernel (ENOTSUPP)"
    inside = cost(p50_ns / 20) if p50_ns is not None and batch is None else None
    inside_why = "" if inside else "user space only" if batch else why
    plain = CellResult(cell, None if p50_ns is None else cost(p50_ns), why, inside, inside_why, 1234, 0)
    return replace(plain, **more)


def report(*results: CellResult, partial: bool = False, live: LiveMap | None = None, clear: bool = True) -> MapReport:
    verdict = ("Choose the hash.",)
    plan = MeasurePlan(MeasureRequest(), tuple(each.cell for each in results), (0, 1), 2, live)
    changes = {(results[0].cell.name, USER_NS): FigureChange("2025-12-31T00:00:00.000Z", "6.17.0", 200.0, -8.0, clear)}
    return MapReport(MACHINE, 1_767_225_600_000_000_000, 12.34, partial, results, plan, 20.5, 10, changes, verdict)


@pytest.fixture
def whole() -> MapReport:
    return report(
        result("hash", "lookup", 184.0),
        result("hash", "get_next_key", 201.0, inside=None, inside_why="no bpf_for_each_map_elem in programs (EINVAL)"),
        result("hash", "lookup_batch", 75.0, 1, grown_to=8),
        result("hash", "lookup_batch", 46.0, 256),
        result("hash", "delete_batch", None, 16),
        result("lpm_trie", "lookup", 290.0, missed=3, notes=("3 times a key had been evicted",), checked=66),
    )


def test_the_page(whole: MapReport) -> None:
    page = table(whole)
    assert page.splitlines() == [
        "web-17  Linux 6.18.0  A CPU, 2 CPUs  2026-01-01T00:00:00.000Z",
        "ns per entry; 5 rounds of 8 ms per cell, seed 1; the clock's own 20.5 ns are taken off (it steps by 10 ns)",
        "op/s is a mean; spread: of the medians of the rounds; change: only beyond the ranges of both runs",
        "",
        "p50 from user space, * in batches of the best size",
        "                                   lookup next_key  lookup*",
        "hash 7.50k of 10.0k, 8+16 B           184      201     46.0",
        "lpm_trie 7.50k of 10.0k, 8+16 B       290        -        -",
        "",
        "p50 in the kernel",
        "                                   lookup",
        "hash 7.50k of 10.0k, 8+16 B           9.2",
        "lpm_trie 7.50k of 10.0k, 8+16 B      14.5",
        "",
        "hash: 7500 of 10000 entries, key 8 B, value 16 B, 1 thread, uniform access",
        "                            ────────────────── from user space ──────────────────  ─ in kernel ─",
        TITLES,
        f"{'lookup':<22}          184   202   276 2.93M   193  5.43 M    2 %           9.2   109 M  1.23 k    -8 %",
        "get_next_key                    201   221   302 2.93M   211  4.98 M    2 %                        1.23 k",
        "lookup_batch             256   46.0  50.6  69.0 2.93M  48.3  21.7 M    2 %   4.0x                 1.23 k",
        "delete_batch            not in this kernel (ENOTSUPP)",
        "p50 by size of a batch      1    256",
        "lookup_batch             75.0   46.0",
        "  lookup_batch: a bucket has more keys than the batch (ENOSPC), which grew from 1 to 8",
        "  get_next_key: no bpf_for_each_map_elem in programs (EINVAL)",
        "",
        "lpm_trie: 7500 of 10000 entries, key 8 B, value 16 B, flags 0x1, 1 thread, uniform access",
        "                            ────────────────── from user space ──────────────────  ─ in kernel ─",
        TITLES,
        "lookup                          290   319   435 2.93M   304  3.45 M    2 %          14.5  69.0 M      66",
        "  lookup: 3 times a key had been evicted",
        "",
        "6.24 k values and keys compared with what was written, none was wrong; 12.3 s in all",
        "=> Choose the hash.",
    ]


def test_the_page_of_one_map_has_no_overview(whole: MapReport) -> None:
    assert "p50 from user space," not in table(report(*whole.results[:5]))


def test_partial_and_noisy_are_said() -> None:
    page = table(report(result("hash", "lookup", 184.0, user=cost(184.0, 30)), partial=True))
    assert "PARTIAL: stopped after 1 of 1 cells" in page
    assert "noisy: 1 of 2 medians differ by more than 10 % between rounds" in page


def test_a_change_within_the_ranges_is_none() -> None:
    within = report(result("hash", "lookup", 184.0), clear=False)
    assert "1.23 k    none\n" in table(within)
    earlier = document(within)["cells"][0]["earlier"]
    assert earlier is not None
    assert earlier["user"] is not None
    assert earlier["user"]["beyond_ranges"] is False


def test_a_time_below_the_resolution_is_no_figure() -> None:
    tiny = replace(cost(0.01), resolution_ns=0.08)
    below = report(result("array", "lookup", 184.0, inside=tiny))
    assert "<0.08" in table(below)
    assert " 0.01" not in table(below)
    inside = document(below)["cells"][0]["inside"]
    assert inside is not None
    assert (inside["below_resolution"], inside["resolution_ns"]) == (True, 0.08)


def test_a_batch_has_no_factor_to_what_is_below_the_resolution() -> None:
    single = result("hash", "lookup", 9.0, user=replace(cost(9.0), resolution_ns=10.0))
    made = report(single, result("hash", "lookup_batch", 46.0, 256))
    assert made.results[1].cell.name not in batch_factors(made.results)
    row = next(line for line in table(made).splitlines() if line.startswith("lookup_batch "))
    assert row.split()[11] == "-"


def test_a_live_map_is_named() -> None:
    info = MapInfo(42, "flows\x1b[2J", 1, 8, 16, 10_000, 0)
    page = table(
        report(result("hash", "lookup", 184.0), live=LiveMap(info, geometry("hash"), 9000, bytes(80), 9001, False))
    )
    assert r"a copy of map 42 flows\x1b[2J: at least 9000 keys counted by 9001 reads, 10 used as they are" in page
    assert "the map itself was only read" in page


def test_the_document_fits_its_schema(whole: MapReport) -> None:
    Draft202012Validator.check_schema(SCHEMA)
    text = PROFILE["json"].load()(whole)
    found = json.loads(text)
    Draft202012Validator(SCHEMA).validate(found)
    assert found == document(whole)
    first = found["cells"][0]
    assert (first["type"], first["operation"], first["user"]["p50_ns"]) == ("hash", "lookup", 184.0)
    assert first["earlier"]["user"]["change_pct"] == -8.0
    assert first["earlier"]["inside"] is None
    assert found["cells"][3]["factor_to_single"] == 4.0
    assert [cell["best_batch"] for cell in found["cells"]] == [False, False, False, True, False, False]
    assert found["cells"][4]["user_why"] == "not in this kernel (ENOTSUPP)"
    live = LiveMap(MapInfo(42, "flows", 1, 8, 16, 10_000, 0), geometry("hash"), 9000, bytes(80), 9001, False)
    Draft202012Validator(SCHEMA).validate(document(report(*whole.results, live=live, partial=True)))


def test_csv_has_a_row_per_cell(whole: MapReport) -> None:
    rows = list(csv.DictReader(io.StringIO(csv_text(whole))))
    assert len(rows) == 6
    assert rows[0]["operation"] == "lookup"
    assert float(rows[0]["user_p50_ns"]) == 184.0
    assert float(rows[0]["user_change_pct"]) == -8.0
    assert rows[2]["batch"] == "1"
    assert rows[2]["grown_to"] == "8"
    assert rows[4]["user_p50_ns"] == ""
    assert rows[4]["user_why"] == "not in this kernel (ENOTSUPP)"
    assert rows[5]["notes"] == "3 times a key had been evicted"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        (0.0, "0.00"),
        (0.306, "0.31"),
        (0.996, "1.0"),
        (48.24, "48.2"),
        (99.96, "100"),
        (183.4, "183"),
        (999.6, "1.00k"),
        (2930.0, "2.93k"),
        (1_720_000.0, "1.72M"),
    ],
)
def test_nanoseconds_in_five_places(value: float | None, text: str) -> None:
    assert ns(value) == text
