"""Every format of a snapshot is read back by somebody else's parser, and gives the numbers of the document again."""

from __future__ import annotations

import csv
import io
import json
import re
from importlib.resources import files
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from bpftop.export.prometheus.metrics import openmetrics
from bpftop.export.snapshot.document import document, json_line, json_text
from bpftop.export.snapshot.markdown import PROTOCOLS, snapshot_markdown
from bpftop.export.snapshot.snapshot_csv import MEASURES, cells, csv_rows, loss_cells
from bpftop.export.snapshot.snapshot_types import SnapshotDocument
from bpftop.export.snapshot.text import table, tick_lines
from bpftop.model.snapshot import Snapshot
from bpftop.model.units import pct, si
from tests.export.moments import ETH0, OBSERVED, busy, moment, parsed

SCHEMA: dict[str, Any] = json.loads(files("bpftop.export.snapshot").joinpath("snapshot.schema.json").read_text())
SNAPSHOTS = {"round": moment(), "several": moment(ETH0, OBSERVED), "busy": busy(), "many CPUs": busy(cpus=64)}
every = pytest.mark.parametrize("shown", SNAPSHOTS.values(), ids=SNAPSHOTS)

Cells = dict[tuple[str, ...], dict[str, float | None]]


def of_document(whole: SnapshotDocument) -> Cells:
    """Interface, direction, family, label, CPU -> measures."""
    found = [(each["label"], cell) for each in whole["interfaces"] for cell in cells(each)]
    result: Cells = {}
    for interface, (direction, family, label, cpu, measures) in [*found, *loss_cells(whole)]:
        result[interface, direction, family, str(label), str(cpu)] = {name: measures[name] for name in MEASURES}
    if len(whole["interfaces"]) > 1:
        for direction, totals in whole["total"]["totals"].items():
            result["", direction, "total", "", ""] = {name: totals[name] for name in MEASURES}
    return result


@every
def test_json_by_its_schema_and_back(shown: Snapshot) -> None:
    for text in (json_text(shown), json_line(shown)):
        whole = json.loads(text)
        Draft202012Validator(SCHEMA).validate(whole)
        assert whole == document(shown)
    eth0 = json.loads(json_text(shown))["interfaces"][0]
    for direction in ("rx", "tx"):
        totals = shown.interfaces[0].traffic(direction).totals
        assert eth0["totals"][direction]["packets"] == totals.packets
        assert eth0["totals"][direction]["packets_per_sec"] == pytest.approx(totals.packets_per_sec, abs=5e-4)


@every
def test_csv_read_back_is_the_document(shown: Snapshot) -> None:
    back: Cells = {}
    for row in csv.DictReader(io.StringIO(csv_rows(shown))):
        key = tuple(row[name] for name in ("interface", "direction", "family", "label", "cpu"))
        assert key not in back
        back[key] = {name: float(row[name]) if row[name] else None for name in MEASURES}
    assert back == of_document(document(shown))


@every
def test_openmetrics_by_the_strict_parser_is_the_document(shown: Snapshot) -> None:
    families = text_string_to_metric_families(openmetrics(shown))
    found = {(s.name, tuple(sorted(s.labels.items()))): s.value for family in families for s in family.samples}
    compared = 0
    for one in parsed(shown)["interfaces"]:
        for row in one["protocols"]:
            labels = (("direction", row["direction"]), ("interface", one["label"]), ("protocol", row["name"]))
            assert found["bpftop_protocol_packets_total", labels] == row["packets"]
            assert found["bpftop_protocol_bytes_total", labels] == row["bytes"]
            compared += 1
        for row in one["cpus"]:
            labels = (("cpu", str(row["cpu"])), ("direction", row["direction"]), ("interface", one["label"]))
            assert found["bpftop_cpu_packets_total", labels] == row["packets"]
    assert compared


@every
def test_the_markdown_table_parsed_back(shown: Snapshot) -> None:
    tables = re.findall(r"(?:^\|.*\n)+", snapshot_markdown(shown), re.MULTILINE)
    assert len(tables) == len(shown.interfaces)
    for text, one in zip(tables, parsed(shown)["interfaces"], strict=True):
        head, rule, *rows = ([cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines())
        assert len(head) == len(rule) == 6
        rx, tx = one["totals"]["rx"], one["totals"]["tx"]
        assert rows[0][:3] == ["all", si(rx["packets_per_sec"]), si(rx["bits_per_sec"], "b/s")]
        assert rows[0][4:] == [si(tx["packets_per_sec"]), si(tx["bits_per_sec"], "b/s")]
        moving = [row for row in one["protocols"] if row["direction"] == "rx" and row["packets_per_sec"]]
        assert len(rows) - 1 == min(PROTOCOLS, len(moving))
        by_name = {row["name"]: row for row in moving}
        for name, *numbers in rows[1:]:
            said = by_name[re.sub(r"\\(.)", r"\1", name)]
            share = pct(said["packets_per_sec"] / rx["packets_per_sec"])
            assert numbers[:3] == [si(said["packets_per_sec"]), si(said["bits_per_sec"], "b/s"), share]


def columns(lines: list[str]) -> list[dict[str, str]]:
    """Rows of a table with right-aligned numbers, cut where its titles end."""
    ends = {"RX pps": 0, "RX bit/s": 0, "TX pps": 0, "TX bit/s": 0}
    ends = {title: lines[0].index(title) + len(title) for title in ends}
    widths = {"RX pps": 8, "RX bit/s": 11, "TX pps": 9, "TX bit/s": 11}
    return [
        {"name": line[:15].strip(), **{title: line[end - widths[title] : end].strip() for title, end in ends.items()}}
        for line in lines[1:]
    ]


@every
def test_the_columns_of_the_table_say_the_same(shown: Snapshot) -> None:
    page = table(shown).split("\n\n")
    sections = [part.splitlines() for part in page if "Protocol  " in part]
    for lines, one in zip(sections, parsed(shown)["interfaces"], strict=False):
        begin = next(at for at, line in enumerate(lines) if line.startswith("Protocol"))
        rows = {row["name"]: row for row in columns(lines[begin:])}
        for direction in ("rx", "tx"):
            expected = {"all packets": one["totals"][direction]}
            expected |= {row["name"]: row for row in one["protocols"] if row["direction"] == direction}
            for name, measures in expected.items():
                if measures["packets"]:
                    cell = rows[name]
                    assert cell[f"{direction.upper()} pps"] == si(measures["packets_per_sec"])
                    assert cell[f"{direction.upper()} bit/s"] == si(measures["bits_per_sec"], "b/s")


@every
def test_the_line_of_a_tick_says_the_same(shown: Snapshot) -> None:
    for line, one in zip(tick_lines(shown, first=False).splitlines(), parsed(shown)["interfaces"], strict=True):
        cells_ = re.split(r"\s{2,}", line)
        rx, tx = one["totals"]["rx"], one["totals"]["tx"]
        assert cells_[1] == one["label"]
        assert cells_[2:6] == [
            si(rx["packets_per_sec"]),
            si(rx["bits_per_sec"], "b/s"),
            si(tx["packets_per_sec"]),
            si(tx["bits_per_sec"], "b/s"),
        ]
