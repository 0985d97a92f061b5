"""CSV: the long form of the snapshot document, one row per cell. Unknown is empty."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any

from bpftop.export.snapshot.document import BREAKDOWNS, MEASURES, Object, document
from bpftop.model.snapshot import Snapshot
from bpftop.render.escaping import escaped_text

COLUMNS = ("taken_at", "interval_s", "host", "interface", "direction", "family", "label", "cpu", *MEASURES)
"""``family``: total, protocols, cpus (its rows have a CPU), sizes, l3, casts, tcp_flags, udp_ports, fragments, vlans,
icmp_types, losses. ``label``: the protocol, the size, the flag, the id of the stage...; empty where the family has one
row. In the family cpus an empty label is the CPU as a whole, and a protocol stands there only while it moves. The
packets of the losses are those since bpftop began to watch."""

_Cell = tuple[str, str, object, object, Object]
"""direction, family, label, cpu, and the object that holds the measures."""


def csv_rows(snapshot: Snapshot, *, first: bool = True) -> str:
    """Write the rows of one snapshot; ``first`` puts the line of column names in front. Lines end in LF."""
    whole = document(snapshot)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    if first:
        writer.writerow(COLUMNS)
    when = (whole["taken_at"], whole["interval_s"], escaped_text(whole["host"]["name"]))
    for interface in whole["interfaces"]:
        for cell in cells(interface):
            writer.writerow(_row(when, interface["label"], cell))
    for interface_label, cell in loss_cells(whole):
        writer.writerow(_row(when, interface_label, cell))
    if len(whole["interfaces"]) > 1:
        for direction, measures in whole["total"]["totals"].items():
            writer.writerow(_row(when, "", (direction, "total", "", "", measures)))
    return text.getvalue()


def _row(when: tuple[Any, ...], interface: str, cell: _Cell) -> tuple[object, ...]:
    direction, family, label, cpu, measures = cell
    where = (escaped_text(interface), direction, family, label, cpu)
    return (*when, *where, *(measures[name] for name in MEASURES))


def loss_cells(whole: Object) -> Iterator[tuple[str, _Cell]]:
    """The stages of the path: the interface whose counters they are, or nothing; and the cell, labelled by the id."""
    for row in whole["losses"]:
        measures = {
            "packets": row["since_start"],
            "bytes": None,
            "packets_per_sec": row["per_sec"],
            "bits_per_sec": None,
        }
        yield row["interface"] or "", ("", "losses", row["id"], "", measures)


def cells(interface: Object) -> Iterator[_Cell]:
    """Every cell of an interface of the document: direction, family, label, CPU, and the object with its measures."""
    for direction, measures in interface["totals"].items():
        yield direction, "total", "", "", measures
    for row in interface["protocols"]:
        yield row["direction"], "protocols", row["name"], "", row
    for row in interface["cpus"]:
        yield row["direction"], "cpus", "", row["cpu"], row
        for protocol in row["protocols"]:
            yield row["direction"], "cpus", protocol["name"], row["cpu"], protocol
    for row in interface["sizes"]:
        yield row["direction"], "sizes", row["size"], "", row
    for family in ("l3", "casts", *BREAKDOWNS):
        for direction, found in interface[family].items():
            for label, measures in (found or {}).items():
                yield direction, family, label, "", measures
    for row in interface["icmp_types"]:
        yield row["direction"], "icmp_types", f"{row['protocol']} {row['type']}", "", row
