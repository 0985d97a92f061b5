"""Aligned text for people: a snapshot as a page of 80 columns, and a tick of ``watch`` as a line per interface.

The columns are the columns of the screen (render.traffic_columns), without the columns that compare with the past.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence

from bpftop.export.snapshot.host import device_phrases
from bpftop.export.snapshot.losses import losing
from bpftop.fields import replace
from bpftop.history.history import History
from bpftop.model.escaping import escaped_text
from bpftop.model.sample import CAST_LABELS, FLAG_LABELS, L3_LABELS, SIZE_LABELS
from bpftop.model.snapshot import InterfaceSnapshot, OwnCost, Snapshot
from bpftop.model.stages import LossGroup
from bpftop.model.timestamps import rfc3339, rfc3339_seconds
from bpftop.model.units import UNKNOWN, pct, si
from bpftop.render.cell_words import ALL_PACKETS, cell_words
from bpftop.render.columns import text_table
from bpftop.render.comparison import ratio
from bpftop.render.gravest_finding import MARKS, gravest_finding
from bpftop.render.path_rows import losses
from bpftop.render.selection import Selection
from bpftop.render.traffic_columns import CPU_COLUMNS, PROTOCOL_COLUMNS
from bpftop.render.traffic_rows import CpuTable, Past, ProtocolLine, protocol_lines, traffic_line

_NEED_A_PAST = ("factor", "trend")
_CPU_COLUMNS = ("cpu", "packets_per_sec", "bits_per_sec", "share", "softirq", "protocols")
"""The columns of CPUs that fit the page."""
_JOINT = (
    ("Packets of", "sizes", 2, SIZE_LABELS),
    ("Network layer", "l3", 0, L3_LABELS),
    ("Cast", "casts", 1, CAST_LABELS),
)
"""Title of a section, family of its cells, position of its label in the joint cells, labels."""
_WIDTHS = {
    "name": len("broadcast packets"),
    "rx_packets_per_sec": 8,
    "rx_bits_per_sec": 11,
    "share": 15,
    "tx_packets_per_sec": 9,
    "tx_bits_per_sec": 11,
}
"""Widths of columns on the page that differ from the screen: the page has room for gaps."""
_TICK_TITLES = (
    f"{'time (UTC)':<10}  {{}}  RX pps    RX bit/s    TX pps    TX bit/s  LOST pps  finding, or protocols of RX"
)
_PAGE_WIDTH = 80


def table(snapshot: Snapshot) -> str:
    """Write a page: for each interface the protocols, sizes, layers, casts and CPUs with packets."""
    interval = UNKNOWN if snapshot.interval_ns is None else f"{snapshot.interval_ns / 1e9:.2f} s"
    kernel = f"  Linux {escaped_text(snapshot.kernel)}" if snapshot.kernel else ""
    lines = [f"{escaped_text(snapshot.host)}  {rfc3339(snapshot.wall_ns)}  rates over {interval}{kernel}"]
    for interface in snapshot.interfaces:
        lines += ["", *_interface(snapshot, interface)]
    if len(snapshot.interfaces) > 1:
        whole = _whole(Past(snapshot, snapshot.total, History()))
        lines += ["", "total of the interfaces", *_section("Protocol", [whole])]
        lines += [f"without {escaped_text(label)}: {escaped_text(why)}" for label, why in snapshot.left_out.items()]
    lines += ["", *_lost(snapshot), f"own cost: {own_cost_text(snapshot.own)}"]
    lines += [f"unavailable: {escaped_text(part)}: {escaped_text(why)}" for part, why in snapshot.unavailable.items()]
    return "\n".join(line.rstrip() for line in lines) + "\n"


GROUP_NAMES: Mapping[LossGroup, str] = {
    "lost": "lost",
    "refused": "refused",
    "elsewhere": "lost elsewhere on this host",
}


def loss_phrases(snapshot: Snapshot, group: LossGroup) -> list[str]:
    """Return a phrase for each stage of a group that loses packets: ``backlog 1.20 k pps (host)``."""
    return [f"{title} {si(rate)} pps ({escaped_text(where)})" for title, rate, where in losing(snapshot, group)]


def own_cost_text(own: OwnCost) -> str:
    """Format CPU time, memory, and time in map reads of bpftop itself."""
    cpu = UNKNOWN if own.cpu_pct is None else f"{own.cpu_pct:.1f} %"
    memory = UNKNOWN if own.resident_bytes is None else f"{own.resident_bytes / (1 << 20):.1f} MiB"
    reads = UNKNOWN if own.poll_ns is None else f"{own.poll_ns / 1e6:.2f} ms"
    return f"{cpu} of a CPU, {memory}, {reads} in map reads"


def _lost(snapshot: Snapshot) -> Iterator[str]:
    for group, name in GROUP_NAMES.items():
        for phrase in loss_phrases(snapshot, group):
            yield f"{name}: {phrase}"


def tick_lines(snapshot: Snapshot, *, first: bool = True) -> str:
    """Write a line per interface; ``first`` puts the line of titles in front.

    LOST is the sum of the screen: packets that the interface or its network namespace lost. A line ends with the
    gravest finding, in full; without a finding, with the busiest protocols that fit the page.
    """
    names = [escaped_text(interface.label) for interface in snapshot.interfaces]
    width = max(map(len, ("interface", *names)))
    clock = rfc3339(snapshot.wall_ns)[11:21]
    lines = [_TICK_TITLES.format("interface".ljust(width))] if first else []
    for name, interface in zip(names, snapshot.interfaces, strict=True):
        numbers = [
            cell
            for traffic in (interface.rx, interface.tx)
            for cell in (si(traffic.totals.packets_per_sec).rjust(6), si(traffic.totals.bits_per_sec, "b/s").rjust(10))
        ]
        lost = losses(Selection(snapshot, interface, History()), ("lost",))["lost"].per_sec
        line = f"{clock}  {name:<{width}}  {'  '.join(numbers)}  {si(lost):>8}  "
        lines.append((line + _remark(snapshot, interface, _PAGE_WIDTH - len(line))).rstrip())
    return "\n".join(lines) + "\n"


def _remark(snapshot: Snapshot, interface: InterfaceSnapshot, width: int) -> str:
    """Return the state of an interface that is not up, and its gravest finding; else protocols within ``width``."""
    words = [] if interface.interface.state == "up" else [str(interface.interface.state)]
    finding = gravest_finding(snapshot, interface.label)
    if finding is not None:
        words.append(f"{MARKS[finding.severity]} {escaped_text(finding.title)}")
    return "  ".join(words) or _top(interface, width)


def _top(interface: InterfaceSnapshot, width: int) -> str:
    """Name the busiest protocols of RX with their shares, at least one of them, and as many as fit."""
    whole = interface.rx.totals.packets_per_sec
    text = ""
    for row in sorted(interface.rx.protocols, key=lambda row: -(row.counts.packets_per_sec or 0.0)):
        more = f"{text}{'  ' if text else ''}{row.name} {pct(ratio(row.counts.packets_per_sec, whole))}"
        if not row.counts.packets_per_sec or (text and len(more) > width):
            break
        text = more
    return text


def _interface(snapshot: Snapshot, interface: InterfaceSnapshot) -> Iterator[str]:
    yield _title(interface)
    yield from textwrap.wrap(escaped_text(", ".join(device_phrases(interface.interface.facts))), _PAGE_WIDTH)
    past = Past(snapshot, interface, History())
    flags = [
        flag
        for flag in FLAG_LABELS
        if any(traffic.cell_of("tcp_flags", flag).packets for traffic in (interface.rx, interface.tx))
    ]
    yield from _section("Protocol", [_whole(past), *protocol_lines(past, flags)])
    for title, family, label, names in _JOINT:
        rows = _rows(past, family, label, names)
        if rows:
            yield from ("", *_section(title, rows))
    cpu_table = CpuTable(past)
    cpus = [row for row in cpu_table.lines(cpu_table.visible_cpus) if row.now]
    if cpus:
        yield from ("", *text_table([column for column in CPU_COLUMNS if column.id in _CPU_COLUMNS], cpus))


def _title(interface: InterfaceSnapshot) -> str:
    facts = interface.interface
    name = "" if facts.name == facts.label else f" ({escaped_text(facts.name)})"  # renamed, or by another of its names
    phrases = [f"{escaped_text(facts.label)}{name}"]
    if facts.state != "up":
        phrases.append(facts.state)
    phrases.append(", ".join(f"{traffic.direction} {traffic.hook}" for traffic in (interface.rx, interface.tx)))
    costs = [traffic.hook.ns_per_packet for traffic in (interface.rx, interface.tx)]
    if any(cost is not None for cost in costs):
        phrases.append("/".join(UNKNOWN if cost is None else f"{cost:.0f}" for cost in costs) + " ns/pkt")
    if facts.counting_since_ns is not None:
        phrases.append(f"since {rfc3339_seconds(facts.counting_since_ns)}")
    return "  ".join(phrases)


def _whole(past: Past) -> ProtocolLine:
    return traffic_line("all", ALL_PACKETS, (past.interface.rx.totals, past.interface.tx.totals), past)


def _rows(past: Past, family: str, label: int, names: Iterable[str]) -> list[ProtocolLine]:
    """Return a row for every name of a label of the joint cells with packets in either direction."""
    rows = []
    sides = [
        (traffic.along(label), traffic.cell_of("joint")) for traffic in (past.interface.rx, past.interface.tx)
    ]  # an empty key: nothing yet
    for name in names:
        rx, tx = (cells.get(name, nothing) for cells, nothing in sides)
        if rx.packets or tx.packets:
            rows.append(traffic_line(name, cell_words(family, name).removeprefix("packets of "), (rx, tx), past))
    return rows


def _section(title: str, rows: Sequence[ProtocolLine]) -> Iterator[str]:
    columns = [column for column in PROTOCOL_COLUMNS if column.id not in _NEED_A_PAST]
    columns = [replace(column, width=_WIDTHS.get(column.id, column.width)) for column in columns]
    return text_table([replace(columns[0], title=title), *columns[1:]], rows)
