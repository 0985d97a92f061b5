"""The column table: title, unit, width, value and meaning of every column, declared once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Generic, Literal, TypeVar

from bpftop.model.units import bar, factor, pct, si, spark
from bpftop.render.comparison import ratio
from bpftop.render.rows import CpuLine, ProtocolLine

RowT = TypeVar("RowT")
Look = Literal["text", "name", "bar", "factor", "trend", "muted", "good", "notice"]
"""What kind of thing a cell is; a theme gives each a colour."""


@dataclass(frozen=True)
class Field(Generic[RowT]):
    """One column. ``width`` holds the gap on its left too; numbers are right-aligned in it, ``left`` ones are not.

    ``value`` is what rows are sorted by and what a document takes; ``text`` makes the cell, for a width without the
    gap. ``rank``: narrow screens do without the columns of the highest ranks. ``stretch``: how much wider it may get.
    """

    id: str
    title: str
    unit: str
    width: int
    help: str
    value: Callable[[RowT], float | str | None]
    text: Callable[[RowT, int], str]
    rank: int = 0
    gap: int = 1
    left: bool = False
    stretch: int = 0
    look: Look | Callable[[RowT], Look] = "text"
    sortable: bool = True


def _packets(value: Callable[[RowT], float | None]) -> Callable[[RowT, int], str]:
    return lambda row, _: si(value(row))


def _bits(value: Callable[[RowT], float | None]) -> Callable[[RowT, int], str]:
    return lambda row, _: si(value(row), "b/s")


def _share_bar(row: ProtocolLine | CpuLine, width: int) -> str:
    return bar(row.share, width - 6) + pct(row.share).rjust(6)


def _name(row: ProtocolLine, width: int) -> str:
    return f"{'  ' * row.depth}{row.name}"[:width]


def _top(row: CpuLine, width: int) -> str:
    """As many of the busiest protocols as fit as a whole."""
    text = ""
    for name, rate in row.top:
        more = f"{text}{'  ' if text else ''}{name} {pct(rate / row.now if row.now else None)}"
        if len(more) > width:
            break
        text = more
    return text


def _ratio(row: ProtocolLine | CpuLine) -> float | None:
    return ratio(row.now, row.then)


def _factor_look(row: ProtocolLine | CpuLine) -> Look:
    return change_look(row.now, row.then)


def change_look(now: float | None, then: float | None) -> Look:
    """A change that deserves a look stands out: three times as much, a third, or out of nothing."""
    if now is None or then is None:
        return "muted"
    return "factor" if now > 0 and (now >= 3 * then or 3 * now <= then) else "muted"


def size_text(value: float | None) -> str:
    """A mean size in whole bytes."""
    return "-" if value is None else f"{value:.0f} B"


PROTOCOL_FIELDS: tuple[Field[ProtocolLine], ...] = (
    Field("name", "Protocol", "", 15,
          "IP protocol, or what a frame is that carries no IP. Indented: a part of the row above; a TCP flag has a row "
          "while it is above 10 % of TCP.",
          lambda r: r.name, _name, gap=0, left=True, look="name"),
    Field("rx_packets_per_sec", "RX pps", "packets/s", 8, "Packets received per second, over the last interval.",
          lambda r: r.rx.packets_per_sec, _packets(lambda r: r.rx.packets_per_sec)),
    Field("rx_bits_per_sec", "RX bit/s", "bits/s", 11, "Bits received per second: L2 bytes without FCS, times 8.",
          lambda r: r.rx.bits_per_sec, _bits(lambda r: r.rx.bits_per_sec)),
    Field("share", "share", "%", 17, "Share of all packets of the direction (`t` changes it).",
          lambda r: r.share, _share_bar, rank=1, gap=2, left=True, look="bar"),
    Field("factor", "x 1 min", "", 9,
          "How many times as many packets as one minute ago (mean of 5 s); after `m`, as at the mark. `new`: none "
          "were there. Bright from 3 and below 1/3.",
          _ratio, lambda r, _: factor(r.now, r.then), rank=2, look=_factor_look),
    Field("tx_packets_per_sec", "TX pps", "packets/s", 9, "Packets sent per second.",
          lambda r: r.tx.packets_per_sec, _packets(lambda r: r.tx.packets_per_sec), rank=3),
    Field("tx_bits_per_sec", "TX bit/s", "bits/s", 11, "Bits sent per second.",
          lambda r: r.tx.bits_per_sec, _bits(lambda r: r.tx.bits_per_sec), rank=3),
    Field("trend", "trend", "", 12,
          "Packets per second, 10 s per cell, the newest on the right; each row has its own scale.",
          lambda r: None, lambda r, width: spark(r.trend(width), width), rank=4, gap=2, left=True, stretch=20,
          look="trend", sortable=False),
    Field("mean_size_bytes", "mean", "bytes", 8, "Mean frame size of the direction: bits/s through packets/s.",
          lambda r: r.seen.mean_size_bytes, lambda r, _: size_text(r.seen.mean_size_bytes), rank=5),
)  # fmt: skip

CPU_FIELDS: tuple[Field[CpuLine], ...] = (
    Field("cpu", "CPU", "", 5,
          "The CPU that counted the packets: it took the interrupt, or RPS chose it.",
          lambda r: r.cpu, lambda r, _: str(r.cpu), gap=0, look="name"),
    Field("packets_per_sec", "pps", "packets/s", 9, "Packets per second on this CPU.",
          lambda r: r.counts.packets_per_sec, _packets(lambda r: r.counts.packets_per_sec)),
    Field("bits_per_sec", "bit/s", "bits/s", 11, "Bits per second on this CPU.",
          lambda r: r.counts.bits_per_sec, _bits(lambda r: r.counts.bits_per_sec)),
    Field("share", "share", "%", 15, "Share of all packets of the direction.",
          lambda r: r.share, _share_bar, rank=1, gap=2, left=True, look="bar", sortable=False),
    Field("softirq", "softirq", "%", 8,
          "Part of its time that this CPU spent in softirqs (/proc/stat), of all interfaces; at 100 % it can take no "
          "more packets.",
          lambda r: r.reading(r.readings.softirq), lambda r, _: pct(r.reading(r.readings.softirq)), rank=1),
    Field("backlog_drops_per_sec", "drops/s", "packets/s", 9,
          "Packets per second that found the backlog of this CPU full (softnet_stat dropped), of all interfaces.",
          lambda r: r.reading(r.readings.backlog_drops), _packets(lambda r: r.reading(r.readings.backlog_drops)),
          rank=2),
    Field("squeezes_per_sec", "squeez/s", "1/s", 9,
          "How often a second this CPU had to leave packets for later because its budget was used up (time_squeeze); "
          "no packet is lost by that.",
          lambda r: r.reading(r.readings.squeezes), _packets(lambda r: r.reading(r.readings.squeezes)), rank=2),
    Field("net_rx_per_sec", "NET_RX/s", "1/s", 9,
          "Receive softirqs per second on this CPU (/proc/softirqs), of all interfaces.",
          lambda r: r.reading(r.readings.net_rx), _packets(lambda r: r.reading(r.readings.net_rx)), rank=3),
    Field("irqs_per_sec", "IRQs/s", "1/s", 8,
          "Interrupts per second that the queues of the interface gave this CPU; a dash: it has none of its own.",
          lambda r: r.reading(r.readings.irqs), _packets(lambda r: r.reading(r.readings.irqs)), rank=4),
    Field("factor", "x 1 min", "", 9, "How many times as many packets as one minute ago; after `m`, as at the mark.",
          _ratio, lambda r, _: factor(r.now, r.then), rank=7, look=_factor_look, sortable=False),
    Field("protocols", "top protocols", "%", 26,
          "The protocols with the most packets on this CPU, each with its share of them.",
          lambda r: None, _top, rank=6, gap=2, left=True, stretch=20, look="muted", sortable=False),
    Field("trend", "60 s", "", 14,
          "Packets per second, 5 s per cell, the newest on the right; each row has its own scale.",
          lambda r: None, lambda r, width: spark(r.trend[-width:], width), rank=5, gap=2, left=True, look="trend",
          sortable=False),
)  # fmt: skip

LINE_TERMS: Mapping[str, str] = {
    "ns/pkt": "What the program takes per packet on this machine, timed when attached; RX/TX where they differ.",
    "self": "CPU time of bpftop itself, in percent of one core; on wide screens also its memory, how it reads its maps "
    "(one batch call a tick, or entry by entry), and how long that takes.",
    "pps, bit/s": "All packets and bits of the interface per second.",
    "B": "Mean frame size.",
    "% of 10G": "Utilisation of the link, with preamble, gap and FCS (24 B per frame); only where its speed can be "
    "believed.",
    "trend": "Packets per second, 5 s per cell, the newest on the right.",
    "x 1 min ago": "How many times as many packets as one minute ago (mean of 5 s); after `m`, as at the mark.",
    "1.1 of 16 carry RX": "Effective CPUs: 1 / sum of squared shares. 1.0: one CPU does it all.",
    "softirq 98 %": "Part of its time that the busiest CPU spent in softirqs, of all interfaces.",
    "LOST": "Packets that are lost, per second over 5 s, stage by stage (3 Path) with the scope of the counter: an "
    "interface, the network namespace, or the whole host. Unseen: stages that cannot be read here.",
    "CPU strip": "A cell per CPU, packets per second; the tallest is the busiest one.",
}
"""What the lines above the table say, for the help."""

HOOK_TERMS: Mapping[str, str] = {
    "xdp native": "Every frame that the driver received, before the stack. On NICs and veth a packet is a wire frame, "
    "on tap it can be a super-frame of many. Bytes: L2 without FCS.",
    "xdp generic": "After the driver and GRO: packets that were merged count as one. Bytes: L2 without FCS.",
    "tcx": "In the stack. A super-frame counts as the wire frames it stands for, each with its headers. Frames that "
    "the stack drops before are not seen.",
    "clsact": "As tcx.",
    "rtnetlink": "The kernel's own counters of the interface: totals only, no protocols, CPUs or sizes.",
}
"""What a packet and a byte mean at each hook, for the help."""


MARK_RANK = 2
"""After `m` the factor is what the person wants to see, on screens of 80 cells too."""


def marked(fields: Sequence[Field[RowT]], mark: bool) -> tuple[Field[RowT], ...]:
    """After `m` the factor is that since the mark, and its title says so; what only then means something is there."""
    kept = (f for f in fields if mark or f.id != "since_mark")
    return tuple(
        replace(f, title="x mark", rank=min(f.rank, MARK_RANK)) if mark and f.id == "factor" else f for f in kept
    )


def fitting(fields: Sequence[Field[RowT]], width: int) -> tuple[tuple[Field[RowT], int], ...]:
    """The fields that fit ``width``, each with the width it gets. Ranks go as a whole, the highest first."""
    for rank in sorted({f.rank for f in fields}, reverse=True):
        kept = [f for f in fields if f.rank <= rank]
        if sum(f.width for f in kept) <= width:
            break
    spare = max(0, width - sum(f.width for f in kept))
    result = []
    for f in kept:
        more = min(f.stretch, spare)
        spare -= more
        result.append((f, f.width + more))
    return tuple(result)
