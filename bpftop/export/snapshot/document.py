"""The snapshot document, ``bpftop.snapshot/1``, made from a snapshot. Its members are described in snapshot_types.

Every text format of a snapshot is made from this document, so that all formats agree.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from bpftop.export.json_writing import TOOL, json_page, rounded
from bpftop.export.snapshot.finding_object import finding_object
from bpftop.export.snapshot.host import device_object, host_object
from bpftop.export.snapshot.losses import loss_peaks, loss_sums, losses
from bpftop.model.json_dump import dump_json, json_value
from bpftop.model.protocols import REFLECTION_PORTS
from bpftop.model.sample import (
    CAST_LABELS,
    DIRECTIONS,
    FLAG_LABELS,
    FRAGMENT_LABELS,
    L3_LABELS,
    SIZE_LABELS,
    Direction,
)
from bpftop.model.snapshot import Counts, CpuRow, DirectionTraffic, InterfaceSnapshot, ProtocolRow, Snapshot
from bpftop.model.timestamps import rfc3339

if TYPE_CHECKING:
    from bpftop.export.snapshot.snapshot_types import (
        CpuObject,
        InterfaceObject,
        ProtocolObject,
        SnapshotDocument,
        TrafficObject,
    )

SCHEMA: Final = "bpftop.snapshot/1"
_VLAN_TAGS = (1, 2)


def document(snapshot: Snapshot) -> SnapshotDocument:
    """Return the whole document, its members in the order in which people read them."""
    since_ns = [interface.interface.counting_since_ns for interface in snapshot.interfaces]
    return {
        "schema": SCHEMA,
        "tool": TOOL,
        "taken_at": rfc3339(snapshot.wall_ns),
        "interval_s": None if snapshot.interval_ns is None else round(snapshot.interval_ns / 1e9, 6),
        # the latest: from then on, every interface of the document was counted
        "counting_since": _timestamp(max((ns for ns in since_ns if ns is not None), default=None)),
        "host": host_object(snapshot),
        "interfaces": [_interface(interface) for interface in snapshot.interfaces],
        "total": {
            "totals": _totals(snapshot.total),
            "left_out": [{"interface": label, "reason": reason} for label, reason in snapshot.left_out.items()],
        },
        "losses": (rows := losses(snapshot)),
        "loss_sums": loss_sums(rows),
        "loss_peaks": loss_peaks(snapshot),
        "findings": [finding_object(finding, snapshot.mono_ns) for finding in snapshot.diagnosis.findings],
        "own": {
            "cpu_pct": rounded(snapshot.own.cpu_pct),
            "resident_bytes": snapshot.own.resident_bytes,
            "poll_ns": snapshot.own.poll_ns,
        },
        "unavailable": [{"part": part, "reason": reason} for part, reason in snapshot.unavailable.items()],
    }


def json_text(snapshot: Snapshot) -> str:
    """Write the document for people and programs: indented, ASCII only, with a newline at the end."""
    return json_page(document(snapshot))


def json_line(snapshot: Snapshot) -> str:
    """Write the document on one line."""
    return f"{dump_json(document(snapshot))}\n"


def _timestamp(wall_ns: int | None) -> str | None:
    return None if wall_ns is None else rfc3339(wall_ns)


def _interface(snapshot: InterfaceSnapshot) -> InterfaceObject:
    interface = snapshot.interface
    traffic = {direction: snapshot.traffic(direction) for direction in DIRECTIONS}
    counted = [each for each in traffic.values() if each.hook.hook != "none"]
    return {
        "label": interface.label,
        "name": interface.name,
        "ifindex": interface.ifindex,
        "state": interface.state,
        "kind": interface.kind,
        "driver": interface.driver,
        "netns": interface.netns,
        "mtu": interface.mtu,
        "speed_bits_per_sec": interface.speed_bits_per_sec,
        "device": device_object(interface.facts),
        "counting_since": _timestamp(interface.counting_since_ns),
        "hooks": {direction: json_value(each.hook) for direction, each in traffic.items()},
        "totals": _totals(snapshot),
        "protocols": [_protocol(row) for each in counted for row in sorted(each.protocols, key=_number)],
        "cpus": [_cpu(each, row) for each in counted for row in each.cpus if row.online or row.counts.packets],
        "sizes": [
            {"direction": each.direction, "size": size, **counts}
            for each in counted
            for size, counts in (_along(each, 2, SIZE_LABELS) or {}).items()
        ],
        "l3": {direction: _along(each, 0, L3_LABELS) for direction, each in traffic.items()},
        "casts": {direction: _along(each, 1, CAST_LABELS) for direction, each in traffic.items()},
        "tcp_flags": _cells(traffic, "tcp_flags", FLAG_LABELS),
        "udp_ports": _cells(traffic, "udp_ports", tuple(REFLECTION_PORTS)),
        "fragments": _cells(traffic, "fragments", FRAGMENT_LABELS),
        "vlans": _cells(traffic, "vlans", _VLAN_TAGS),
        "icmp_types": [
            {"direction": each.direction, "protocol": str(key[0]), "type": int(key[1]), **_traffic(counts)}
            for each in counted
            for key, counts in sorted(each.breakdowns.get("icmp_types", {}).items())
        ],
        "notices": list(interface.notices),
        "offer": interface.offer,
    }


def _along(traffic: DirectionTraffic, label: int, names: Sequence[str]) -> Mapping[str, TrafficObject] | None:
    """Add up the joint cells along a label: an entry for every name of the label; None where they are not counted."""
    if "joint" not in traffic.breakdowns:
        return None
    cells = traffic.along(label)
    nothing_yet = traffic.cell_of("joint")  # no joint cell has an empty key: zero, with a rate where rates are known
    return {name: _traffic(cells.get(name, nothing_yet)) for name in names}


def _cells(
    traffic: Mapping[Direction, DirectionTraffic], family: str, labels: Sequence[int | str]
) -> Mapping[str, Mapping[str, TrafficObject] | None]:
    """Return the cells of a family with one label; None for a direction whose family is not counted."""
    return {
        direction: {str(label): _traffic(each.cell_of(family, label)) for label in labels}
        if family in each.breakdowns
        else None
        for direction, each in traffic.items()
    }


def _totals(snapshot: InterfaceSnapshot) -> Mapping[str, TrafficObject]:
    return {direction: _traffic(snapshot.traffic(direction).totals) for direction in DIRECTIONS}


def _traffic(counts: Counts) -> TrafficObject:
    return {
        "packets": counts.packets,
        "bytes": counts.bytes,
        "packets_per_sec": rounded(counts.packets_per_sec),
        "bits_per_sec": rounded(counts.bits_per_sec),
    }


def _protocol(row: ProtocolRow) -> ProtocolObject:
    return {"direction": row.direction, "name": row.name, "number": row.number, **_traffic(row.counts)}


def _number(row: ProtocolRow) -> int:
    return row.number


def _cpu(traffic: DirectionTraffic, row: CpuRow) -> CpuObject:
    return {
        "direction": traffic.direction,
        "cpu": row.cpu,
        "online": row.online,
        **_traffic(row.counts),
        "protocols": [_protocol(protocol) for protocol in row.protocols],
    }
