"""The busiest flows of a moment: JSON (``bpftop.flows/1``), CSV, a table, Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from bpftop.export.csv_writing import csv_lines
from bpftop.export.json_writing import TOOL, json_page, rounded
from bpftop.export.snapshot.markdown import escaped
from bpftop.model.escaping import escaped_text
from bpftop.model.sample import DIRECTIONS
from bpftop.model.snapshot import Snapshot
from bpftop.model.timestamps import rfc3339
from bpftop.model.units import pct, si
from bpftop.render.columns import clipped
from bpftop.render.flows.flow_pairs import Amounts, FlowPair, PairBy
from bpftop.render.flows.flow_readings import FlowOwner
from bpftop.render.flows.flow_top import FlowTop, flow_top

if TYPE_CHECKING:
    from bpftop.export.flows.flows_types import (
        FlowAmounts,
        FlowEnd,
        FlowObject,
        FlowOwnerObject,
        FlowsDocument,
    )

SCHEMA: Final = "bpftop.flows/1"
CSV_COLUMNS = (
    "taken_at", "interface", "row", "name", "protocol", "local_address", "local_port", "remote_address", "remote_port",
    "flows", "share", "rx_bits_per_sec", "tx_bits_per_sec", "rx_packets_per_sec", "tx_packets_per_sec", "rx_bytes",
    "tx_bytes", "age_s", "process", "pid", "user", "service", "netns", "rtt_us", "retransmits", "min_rtt_us",
    "retransmits_per_sec", "lost", "cwnd", "delivery_rate_bits_per_sec", "limit",
)  # fmt: skip
"""``row``: flow, group, rest or total."""
_NAME_WIDTH, _OWNER_WIDTH = 47, 26
_OWNER_TITLES: Mapping[PairBy, str] = {
    "flow": "process",
    "address": "processes",
    "port": "processes",
    "process": "user",
    "container": "processes",
}
_PARTS = ("flows/", "flow_sockets/")


def flows_json(snapshot: Snapshot, by: PairBy, most: int) -> str:
    """Write the document."""
    document: FlowsDocument = {
        "schema": SCHEMA,
        "tool": TOOL,
        "taken_at": rfc3339(snapshot.wall_ns),
        "interval_s": None if snapshot.interval_ns is None else rounded(snapshot.interval_ns / 1e9),
        "host": snapshot.host,
        "by": by,
        "interfaces": [
            {
                "name": label,
                "sentence": top.sentence or None,
                "sampled_1_in": top.sampled_1_in,
                "entries": top.entries,
                "rows": [_object(row) for row in top.rows],
                "rest": _object(top.rest),
                "total": _object(top.total),
            }
            for label, top in _tops(snapshot, by, most)
        ],
        "unavailable": dict(_missing(snapshot)),
    }
    return json_page(document)


def flows_csv(snapshot: Snapshot, by: PairBy, most: int) -> str:
    """Write a row per flow or group, then rest and total."""
    lines: list[Sequence[object]] = [CSV_COLUMNS]
    for label, top in _tops(snapshot, by, most):
        rows = [("flow" if by == "flow" else "group", row) for row in top.rows]
        for kind, pair in (*rows, ("rest", top.rest), ("total", top.total)):
            lines.append((rfc3339(snapshot.wall_ns), label, kind, *_csv_cells(pair)))
    return csv_lines(lines)


def flows_table(snapshot: Snapshot, by: PairBy, most: int) -> str:
    """Write lines of at most 120 columns: bits per second first, then the totals, the flow and who it belongs to."""
    lines: list[str] = []
    for label, top in _tops(snapshot, by, most):
        lines += ["", f"{escaped_text(label)}{_remark(top)}"] if lines else [f"{escaped_text(label)}{_remark(top)}"]
        lines.append(
            f"{'RX b/s':>10} {'TX b/s':>10} {'share':>6} {'RX':>8} {'TX':>8}  {by:<{_NAME_WIDTH}} {_OWNER_TITLES[by]}"
        )
        for pair in (*top.rows, top.rest, top.total):
            name = clipped(escaped_text(pair.name), _NAME_WIDTH)
            who = clipped(escaped_text(owner_words(pair)), _OWNER_WIDTH)
            lines.append(f"{'  '.join(_numbers(pair))}  {name:<{_NAME_WIDTH}} {who}".rstrip())
    lines += [f"unavailable: {escaped_text(part)}: {escaped_text(why)}" for part, why in _missing(snapshot)]
    return "\n".join(lines) + "\n"


def flows_markdown(snapshot: Snapshot, by: PairBy, most: int) -> str:
    """Write a table per interface."""
    lines = [f"**{escaped(snapshot.host)}** {rfc3339(snapshot.wall_ns)}"]
    for label, top in _tops(snapshot, by, most):
        lines += ["", f"{escaped(label)}{escaped(_remark(top))}", ""]
        title = _OWNER_TITLES[by]
        lines += [f"| {by} | RX b/s | TX b/s | share | RX | TX | {title} |", "|---|---:|---:|---:|---:|---:|---|"]
        for pair in (*top.rows, top.rest, top.total):
            cells = (part.strip() for part in _numbers(pair))
            lines.append(f"| {escaped(pair.name)} | {' | '.join(cells)} | {escaped(owner_words(pair))} |")
    lines += ["", *(f"Not known: {escaped(part)}: {escaped(why)}" for part, why in _missing(snapshot))]
    return "\n".join(lines).rstrip() + "\n"


def owner_words(pair: FlowPair) -> str:
    """Return process, service, user and what TCP says, in words; user and service of a group that is a process."""
    owner = pair.owner
    if owner is None:
        return ", ".join(sorted(pair.owners))
    if not pair.protocol:
        return ", ".join(filter(None, (owner.user, owner.service)))
    user = owner.user if owner.pid else ""  # otherwise the name has it
    parts = [owner.name, owner.service, user, "listens" if pair.is_offered_here else ""]
    if owner.rtt_us is not None:
        parts.append(f"RTT {owner.rtt_us / 1000:.1f} ms")
    if owner.retransmits:
        parts.append(f"{owner.retransmits} sent again")
    if owner.limit is not None:
        parts.append(f"limit: {owner.limit}")
    return ", ".join(filter(None, parts))


def _tops(snapshot: Snapshot, by: PairBy, most: int) -> Iterator[tuple[str, FlowTop]]:
    for interface in snapshot.interfaces:
        yield interface.label, flow_top(snapshot, interface, by, most)


def _missing(snapshot: Snapshot) -> Iterator[tuple[str, str]]:
    """Yield part and reason; of parts with the same reason, such as both directions, the first."""
    reasons: dict[str, str] = {}
    for part, why in snapshot.unavailable.items():
        if part.startswith(_PARTS):
            reasons.setdefault(why, part)
    for why, part in reasons.items():
        yield part, why


def _remark(top: FlowTop) -> str:
    estimates = f"estimates from 1 in {top.sampled_1_in} packets" if top.sampled_1_in > 1 else ""
    words = ", ".join(filter(None, (top.sentence, estimates)))
    return f": {words}" if words else ""


def _numbers(pair: FlowPair) -> tuple[str, ...]:
    return (
        f"{si(pair.rx.bits_per_sec, 'b/s'):>10}", f"{si(pair.tx.bits_per_sec, 'b/s'):>9}", f"{pct(pair.share):>5}",
        f"{si(pair.rx.bytes, 'B'):>7}", f"{si(pair.tx.bytes, 'B'):>7}",
    )  # fmt: skip


def _amounts(amounts: Amounts) -> FlowAmounts:
    return {
        "bits_per_sec": round(amounts.bits_per_sec, 3),
        "packets_per_sec": round(amounts.packets_per_sec, 3),
        "bytes": amounts.bytes,
        "packets": amounts.packets,
    }


def _end(end: tuple[str, int]) -> FlowEnd | None:
    return {"address": end[0], "port": end[1] or None} if end[0] else None


def _object(pair: FlowPair) -> FlowObject:
    return {
        "name": pair.name,
        "flows": pair.flows,
        "share": rounded(pair.share, 6),
        "rx": _amounts(pair.rx),
        "tx": _amounts(pair.tx),
        "protocol": pair.protocol or None,
        "local": _end(pair.local),
        "remote": _end(pair.remote),
        "age_s": None if pair.age_ns is None else rounded(pair.age_ns / 1e9),
        "owner": None if pair.owner is None else _owner(pair.owner),
        "processes": sorted(pair.owners),
    }


def _owner(owner: FlowOwner) -> FlowOwnerObject:
    return {
        "process": owner.process or None,
        "pid": owner.pid or None,
        "user": owner.user,
        "service": owner.service or None,
        "netns": owner.netns or None,
        "listening": owner.is_listening,
        "tcp": None
        if owner.rtt_us is None
        else {
            "rtt_us": owner.rtt_us,
            "min_rtt_us": owner.min_rtt_us,
            "retransmits": owner.retransmits,
            "retransmits_per_sec": rounded(owner.retransmits_per_sec),
            "lost": owner.lost,
            "cwnd": owner.cwnd,
            "delivery_rate_bits_per_sec": owner.delivery_rate_bits_per_sec,
            "limit": owner.limit,
        },
    }


def _csv_cells(pair: FlowPair) -> tuple[object, ...]:
    owner = pair.owner
    numbers = [
        round(getattr(getattr(pair, direction), name), 3)
        for name in ("bits_per_sec", "packets_per_sec", "bytes")
        for direction in DIRECTIONS
    ]
    who: tuple[object, ...] = ("; ".join(sorted(pair.owners)), *[""] * 12)
    if owner is not None:
        who = (
            owner.process, owner.pid or "", owner.user, owner.service, owner.netns, owner.rtt_us, owner.retransmits,
            owner.min_rtt_us, rounded(owner.retransmits_per_sec), owner.lost, owner.cwnd,
            owner.delivery_rate_bits_per_sec, owner.limit,
        )  # fmt: skip
    return (
        pair.name, pair.protocol, pair.local[0], pair.local[1] or "", pair.remote[0], pair.remote[1] or "", pair.flows,
        rounded(pair.share, 6), *numbers, None if pair.age_ns is None else round(pair.age_ns / 1e9, 3), *who,
    )  # fmt: skip
