"""CSV: the long form of the snapshot document, a row per cell. Unknown is empty."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from bpftop.export.csv_writing import csv_lines
from bpftop.export.snapshot.document import document
from bpftop.model.snapshot import Snapshot

if TYPE_CHECKING:
    from bpftop.export.snapshot.snapshot_types import InterfaceObject, SnapshotDocument, TrafficObject

CsvMeasure = Literal["packets", "bytes", "packets_per_sec", "bits_per_sec"]
MEASURES: tuple[CsvMeasure, ...] = ("packets", "bytes", "packets_per_sec", "bits_per_sec")
COLUMNS = ("taken_at", "interval_s", "host", "interface", "direction", "family", "label", "cpu", *MEASURES)
"""``family``: total, protocols, cpus, sizes, l3, casts, tcp_flags, udp_ports, fragments, vlans, icmp_types, losses.
``label``: the protocol, the size, the flag, the id of the stage...; empty where the family has one row. In the family
cpus, the row with an empty label is the whole CPU; only protocols with packets in the interval have rows of their own.
Losses count packets since bpftop began to watch."""

_BREAKDOWNS: tuple[Literal["l3", "casts", "tcp_flags", "udp_ports", "fragments", "vlans"], ...] = (
    "l3", "casts", "tcp_flags", "udp_ports", "fragments", "vlans",
)  # fmt: skip
_Cell = tuple[str, str, str, object, "TrafficObject"]
"""Direction, family, label, CPU and measures."""


def csv_rows(snapshot: Snapshot, *, first: bool = True) -> str:
    """Write the rows of one snapshot; ``first`` puts the line of column names in front. Lines end in LF."""
    whole = document(snapshot)
    labelled = [(interface["label"], cell) for interface in whole["interfaces"] for cell in cells(interface)]
    labelled += loss_cells(whole)
    if len(whole["interfaces"]) > 1:
        labelled += [("", (d, "total", "", "", measures)) for d, measures in whole["total"]["totals"].items()]
    when = (whole["taken_at"], whole["interval_s"], whole["host"]["name"])
    return csv_lines([*([COLUMNS] if first else ()), *(_row(when, label, cell) for label, cell in labelled)])


def _row(when: tuple[object, ...], interface: str, cell: _Cell) -> tuple[object, ...]:
    direction, family, label, cpu, measures = cell
    where = (interface, direction, family, label, cpu)
    return (*when, *where, *(measures[name] for name in MEASURES))


def loss_cells(snapshot: SnapshotDocument) -> Iterator[tuple[str, _Cell]]:
    """Yield a cell per stage of the path, labelled by its id, behind the interface of the counters, if any."""
    for row in snapshot["losses"]:
        measures: TrafficObject = {
            "packets": row["since_start"],
            "bytes": None,
            "packets_per_sec": row["per_sec"],
            "bits_per_sec": None,
        }
        yield row["interface"] or "", ("", "losses", row["id"], "", measures)


def cells(interface: InterfaceObject) -> Iterator[_Cell]:
    """Yield every cell of an interface of the document."""
    for direction, measures in interface["totals"].items():
        yield direction, "total", "", "", measures
    for protocol in interface["protocols"]:
        yield protocol["direction"], "protocols", protocol["name"], "", protocol
    for cpu in interface["cpus"]:
        yield cpu["direction"], "cpus", "", cpu["cpu"], cpu
        for protocol in cpu["protocols"]:
            yield cpu["direction"], "cpus", protocol["name"], cpu["cpu"], protocol
    for size in interface["sizes"]:
        yield size["direction"], "sizes", size["size"], "", size
    for family in _BREAKDOWNS:
        for direction, breakdown in interface[family].items():
            for label, measures in (breakdown or {}).items():
                yield direction, family, label, "", measures
    for icmp in interface["icmp_types"]:
        yield icmp["direction"], "icmp_types", f"{icmp['protocol']} {icmp['type']}", "", icmp
