"""The columns of the tables of protocols and of CPUs."""

from __future__ import annotations

from bpftop.model.units import pct, spark
from bpftop.render.columns import (
    FEW_PPS,
    Column,
    Look,
    bits_text,
    change_look,
    change_text,
    clipped,
    share_text,
    size_text,
)
from bpftop.render.comparison import ratio
from bpftop.render.traffic_rows import CpuLine, ProtocolLine


def _name(row: ProtocolLine, width: int) -> str:
    return clipped(f"{'  ' * row.depth}{row.name}", width)


def _busiest(row: CpuLine, width: int) -> str:
    """Name as many of the busiest protocols as fit in full."""
    text = ""
    for name, rate in row.top:
        longer = f"{text}{'  ' if text else ''}{name} {pct(rate / row.now if row.now else None)}"
        if len(longer) > width:
            break
        text = longer
    return text


def _ratio(row: ProtocolLine | CpuLine) -> float | None:
    return ratio(row.now, row.then)


def _factor_look(row: ProtocolLine | CpuLine) -> Look:
    return change_look(row.now, row.then, FEW_PPS)


COUNTED = "bpftop's XDP or TCX program; without a program, the link counters of rtnetlink"

PROTOCOL_COLUMNS: tuple[Column[ProtocolLine], ...] = (
    Column("name", "Protocol", "", 15,
          "IP protocol, or what a frame is that carries no IP. Indented: a part of the row above; a TCP flag has a row "
          "while it is above 10 % of TCP.",
          lambda r: r.name, _name, gap=0, left=True, look="name",
          source="the headers of each frame, read by bpftop's program; names by IANA"),
    Column("rx_packets_per_sec", "RX pps", "packets/s", 7, "Packets received per second, over the last interval.",
          lambda r: r.rx.packets_per_sec, source=COUNTED),
    Column("rx_bits_per_sec", "RX bit/s", "bits/s", 10, "Bits received per second: L2 bytes without FCS, times 8.",
          lambda r: r.rx.bits_per_sec, form=bits_text, source=COUNTED),
    Column("share", "share", "%", 12, "Share of all packets of the direction (`t` changes it).",
          lambda r: r.share, lambda r, width: share_text(r.share, width), rank=1, gap=2, left=True, stretch=4,
          look="bar", source=COUNTED),
    Column("factor", "vs 1 min ago", "times", 13,
          "How many times as many packets as one minute ago (mean of 5 s); after `m`, as at the mark. `new`: none "
          "were there. Bright from 3 and below 1/3, from 10 pps on.",
          _ratio, lambda r, _: change_text(r.now, r.then), rank=2, look=_factor_look, source=COUNTED),
    Column("tx_packets_per_sec", "TX pps", "packets/s", 8, "Packets sent per second.",
          lambda r: r.tx.packets_per_sec, rank=3, source=COUNTED),
    Column("tx_bits_per_sec", "TX bit/s", "bits/s", 10, "Bits sent per second.",
          lambda r: r.tx.bits_per_sec, form=bits_text, rank=3, source=COUNTED),
    Column("trend", "own-scale trend", "packets/s", 16,
          "Packets per second, 10 s per cell, the newest on the right; each row has its own scale.",
          lambda r: None, lambda r, width: spark(r.trend(width), width), rank=4, gap=1, left=True, stretch=20,
          look="trend", sortable=False, source=COUNTED),
    Column("mean_size_bytes", "mean", "bytes", 8, "Mean frame size of the direction: bits/s through packets/s.",
          lambda r: r.seen.mean_size_bytes, form=size_text, rank=5, source=COUNTED),
)  # fmt: skip

CPU_COLUMNS: tuple[Column[CpuLine], ...] = (
    Column("cpu", "CPU", "number", 5,
          "The CPU that counted the packets: it took the interrupt, or RPS chose it.",
          lambda r: r.cpu, form=str, gap=0, look="name", source="bpftop's program, which counts on each CPU"),
    Column("packets_per_sec", "pps", "packets/s", 9, "Packets per second on this CPU.",
          lambda r: r.counts.packets_per_sec, source=COUNTED),
    Column("bits_per_sec", "bit/s", "bits/s", 11, "Bits per second on this CPU.",
          lambda r: r.counts.bits_per_sec, form=bits_text, source=COUNTED),
    Column("share", "share", "%", 15, "Share of all packets of the direction.",
          lambda r: r.share, lambda r, width: share_text(r.share, width), rank=1, gap=2, left=True, look="bar",
          sortable=False, source=COUNTED),
    Column("softirq", "softirq", "%", 8,
          "Part of its time that this CPU spent in softirqs (/proc/stat), of all interfaces; at 100 % it can take no "
          "more packets.",
          lambda r: r.reading(r.readings.softirq), form=pct, rank=1, source="/proc/stat, softirq"),
    Column("backlog_drops_per_sec", "drops/s", "packets/s", 9,
          "Packets per second that found the backlog of this CPU full (softnet_stat dropped), of all interfaces.",
          lambda r: r.reading(r.readings.backlog_drops),
          rank=2, source="/proc/net/softnet_stat, dropped"),
    Column("squeezes_per_sec", "squeezes/s", "1/s", 11,
          "How often a second this CPU had to leave packets for later because its budget was used up (time_squeeze); "
          "no packet is lost by that.",
          lambda r: r.reading(r.readings.squeezes), rank=2, source="/proc/net/softnet_stat, time_squeeze"),
    Column("net_rx_per_sec", "NET_RX/s", "1/s", 9,
          "Receive softirqs per second on this CPU (/proc/softirqs), of all interfaces.",
          lambda r: r.reading(r.readings.net_rx), rank=3, source="/proc/softirqs, NET_RX"),
    Column("irqs_per_sec", "IRQs/s", "1/s", 8,
          "Interrupts per second that the queues of the interface gave this CPU; a dash: it has none of its own.",
          lambda r: r.reading(r.readings.irqs), rank=4, source="/proc/interrupts"),
    Column("factor", "vs 1 min ago", "times", 13,
          "How many times as many packets as one minute ago; after `m`, as at the mark.",
          _ratio, lambda r, _: change_text(r.now, r.then), rank=7, look=_factor_look, sortable=False, source=COUNTED),
    Column("protocols", "top protocols", "%", 26,
          "The protocols with the most packets on this CPU, each with its share of them.",
          lambda r: None, _busiest, rank=6, gap=2, left=True, stretch=20, look="muted", sortable=False,
          source=COUNTED),
    Column("trend", "60 s, own scale", "packets/s", 17,
          "Packets per second, 5 s per cell, the newest on the right; each row has its own scale.",
          lambda r: None, lambda r, width: spark(r.trend[-width:], width), rank=5, gap=2, left=True, look="trend",
          sortable=False, source=COUNTED),
)  # fmt: skip
