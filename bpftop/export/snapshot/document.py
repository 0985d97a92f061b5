"""The snapshot document, ``bpftop.snapshot/1``: what ``snapshot.schema.json`` describes. Unknown is None, never 0.

Every text format of a snapshot is made from this document, so that all of them say the same.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from bpftop import __version__
from bpftop.export.snapshot.finding_object import finding_object
from bpftop.export.snapshot.host import device_object, host_object
from bpftop.export.snapshot.losses import losses
from bpftop.model.protocols import REFLECTION_PORTS
from bpftop.model.sample import (
    CAST_LABELS,
    DIRECTIONS,
    FLAG_LABELS,
    FRAGMENT_LABELS,
    L3_LABELS,
    SIZE_LABELS,
    Hook,
)
from bpftop.model.snapshot import Counts, CpuRow, DirectionTraffic, InterfaceSnapshot, ProtocolRow, Snapshot
from bpftop.model.timestamps import rfc3339

SCHEMA = "bpftop.snapshot/1"

Object = dict[str, Any]
"""A JSON object."""

MEASURES = ("packets", "bytes", "packets_per_sec", "bits_per_sec")

BREAKDOWNS: Mapping[str, Sequence[int | str]] = {
    "tcp_flags": FLAG_LABELS,
    "udp_ports": tuple(REFLECTION_PORTS),
    "fragments": FRAGMENT_LABELS,
    "vlans": (1, 2),
}
"""Families whose rows have one label: the labels, in the order in which they are written."""

_RATE_DIGITS = 3  # a thousandth of a packet per second: finer than any interval can tell


def document(snapshot: Snapshot) -> Object:
    """The whole document as plain dicts and lists, in the order in which people read it."""
    since_ns = [w.interface.counting_since_ns for w in snapshot.interfaces]
    return {
        "schema": SCHEMA,
        "tool": {"name": "bpftop", "version": __version__},
        "taken_at": timestamp(snapshot.wall_ns),
        "interval_s": None if snapshot.interval_ns is None else round(snapshot.interval_ns / 1e9, 6),
        # the latest: from then on, every interface of the document was counted
        "counting_since": timestamp(max((ns for ns in since_ns if ns is not None), default=None)),
        "host": host_object(snapshot),
        "interfaces": [_interface(watched) for watched in snapshot.interfaces],
        "total": {
            "totals": _totals(snapshot.total),
            "left_out": [{"interface": label, "reason": reason} for label, reason in snapshot.left_out.items()],
        },
        "losses": losses(snapshot),
        "findings": [finding_object(finding, snapshot.mono_ns) for finding in snapshot.diagnosis.findings],
        "own": {
            "cpu_pct": _rounded(snapshot.own.cpu_pct),
            "resident_bytes": snapshot.own.resident_bytes,
            "poll_ns": snapshot.own.poll_ns,
        },
        "unavailable": [{"part": part, "reason": reason} for part, reason in snapshot.unavailable.items()],
    }


def json_text(snapshot: Snapshot) -> str:
    """The document for people and programs: indented, ASCII only, with a newline at the end."""
    return json.dumps(document(snapshot), indent=2, allow_nan=False) + "\n"


def json_line(snapshot: Snapshot) -> str:
    """The document on one line."""
    return json.dumps(document(snapshot), separators=(",", ":"), allow_nan=False) + "\n"


def timestamp(wall_ns: int | None) -> str | None:
    """Return RFC 3339 in UTC with milliseconds; None stays None."""
    return None if wall_ns is None else rfc3339(wall_ns)


def _interface(watched: InterfaceSnapshot) -> Object:
    interface = watched.interface
    flows = {direction: watched.traffic(direction) for direction in DIRECTIONS}
    counted = [traffic for traffic in flows.values() if traffic.hook.hook != "none"]
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
        "counting_since": timestamp(interface.counting_since_ns),
        "hooks": {direction: _hook(traffic.hook) for direction, traffic in flows.items()},
        "totals": _totals(watched),
        "protocols": [_protocol(row) for traffic in counted for row in sorted(traffic.protocols, key=_number)],
        "cpus": [_cpu(traffic, row) for traffic in counted for row in traffic.cpus if row.online or row.counts.packets],
        "sizes": [
            {"direction": traffic.direction, "size": size, **cell}
            for traffic in counted
            for size, cell in (_along(traffic, 2, SIZE_LABELS) or {}).items()
        ],
        "l3": {direction: _along(traffic, 0, L3_LABELS) for direction, traffic in flows.items()},
        "casts": {direction: _along(traffic, 1, CAST_LABELS) for direction, traffic in flows.items()},
        **{
            family: {direction: _cells(traffic, family, labels) for direction, traffic in flows.items()}
            for family, labels in BREAKDOWNS.items()
        },
        "icmp_types": [
            {"direction": traffic.direction, "protocol": str(key[0]), "type": int(key[1]), **_traffic(cell)}
            for traffic in counted
            for key, cell in sorted(traffic.breakdowns.get("icmp_types", {}).items())
        ],
        "notices": list(interface.notices),
        "offer": interface.offer,
    }


def _along(traffic: DirectionTraffic, label: int, names: Sequence[str]) -> Object | None:
    """The joint cells added up along one label, a cell for every name of it; None where they are not counted."""
    if "joint" not in traffic.breakdowns:
        return None
    cells = traffic.along(label)
    nothing_yet = traffic.cell_of("joint")  # no joint cell has an empty key: zero, with a rate where rates are known
    return {name: _traffic(cells.get(name, nothing_yet)) for name in names}


def _cells(traffic: DirectionTraffic, family: str, labels: Sequence[int | str]) -> Object | None:
    if family not in traffic.breakdowns:
        return None
    return {str(label): _traffic(traffic.cell_of(family, label)) for label in labels}


def _hook(hook: Hook) -> Object:
    return {
        "hook": hook.hook,
        "mode": hook.mode,
        "prog_id": hook.prog_id,
        "ns_per_packet": hook.ns_per_packet,
        "batch": hook.batch,
    }


def _totals(watched: InterfaceSnapshot) -> Object:
    return {direction: _traffic(watched.traffic(direction).totals) for direction in DIRECTIONS}


def _traffic(cell: Counts) -> Object:
    return {
        "packets": cell.packets,
        "bytes": cell.bytes,
        "packets_per_sec": _rounded(cell.packets_per_sec),
        "bits_per_sec": _rounded(cell.bits_per_sec),
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, _RATE_DIGITS)


def _protocol(row: ProtocolRow) -> Object:
    return {"direction": row.direction, "name": row.name, "number": row.number, **_traffic(row.counts)}


def _number(row: ProtocolRow) -> int:
    return row.number


def _cpu(traffic: DirectionTraffic, row: CpuRow) -> Object:
    protocols = [_protocol(protocol) for protocol in row.protocols]
    return {
        "direction": traffic.direction,
        "cpu": row.cpu,
        "online": row.online,
        **_traffic(row.counts),
        "protocols": protocols,
    }
