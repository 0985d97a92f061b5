"""The terms of the screen that are not columns, each with its meaning, for the help."""

from __future__ import annotations

from collections.abc import Mapping

LINE_TERMS: Mapping[str, str] = {
    "9 ns a packet": "Time that the program takes for a packet on this machine, measured when it was attached; RX/TX "
    "where they differ.",
    "bpftop 1.2 % CPU": "CPU time of bpftop itself, in percent of one core.",
    "pps, b/s": "All packets and bits of the interface per second.",
    "88 B a frame": "Mean frame size.",
    "12 % of 10G": "Utilisation of the link, with preamble, gap and FCS (24 B per frame); only where its speed can be "
    "believed.",
    "chart": "Packets per second over ten minutes: RX above the axis, TX below it, both on one scale. A cross on the "
    "axis: packets were lost. A click pauses at that moment.",
    "1.4 x a minute ago": "How many times as many packets as one minute ago (mean of 5 s); after `m`, as at the mark.",
    "1.1 of 16 carry RX": "On how many CPUs the packets would be, if all of them had the same: 1 / sum of squared "
    "shares. 1.0: one CPU does it all.",
    "softirq 98 %": "Part of its time that the busiest CPU spent in softirqs, of all interfaces.",
    "LOST": "Packets lost by the interface or its network namespace in the last interval, per second, stage by stage "
    "(3 Path). Not readable: stages whose counters cannot be read here.",
    "REFUSED": "Packets turned away: to closed ports, without a route, by a firewall.",
    "ELSEWHERE": "Losses in counters of the whole host, without the part of the interface.",
    "CPU strip": "A cell per CPU, packets per second; the tallest is the busiest one.",
}
"""Terms of the lines above the tables."""

HOOK_TERMS: Mapping[str, str] = {
    "xdp native": "Every frame that the driver received, before the stack. On NICs and veth a packet is a wire frame, "
    "on tap it can be a super-frame of many. Bytes: L2 without FCS.",
    "xdp generic": "After the driver and GRO: packets that were merged count as one. Bytes: L2 without FCS.",
    "tcx": "In the stack. A super-frame counts as the wire frames it stands for, each with its headers. Frames that "
    "the stack drops before are not seen.",
    "clsact": "As tcx.",
    "rtnetlink": "The kernel's own counters of the interface: totals only, no protocols, CPUs or sizes.",
}
"""The meaning of packets and bytes at each hook."""
