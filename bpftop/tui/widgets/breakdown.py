"""The right side of a wide screen: one direction broken down by size, TCP flag, cast, L3 class and more."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from bpftop.model.protocols import REFLECTION_PORTS, TCP, UDP, icmp_type_name
from bpftop.model.sample import CAST_LABELS, FLAG_LABELS, FRAGMENT_LABELS, L3_LABELS, SIZE_LABELS
from bpftop.model.snapshot import NOTHING, Counts, DirectionTraffic
from bpftop.model.units import bar, pct, si
from bpftop.render.columns import clipped
from bpftop.render.comparison import ratio
from bpftop.tui.moment import Moment
from bpftop.tui.widgets.line import Line, beside, fit, line
from bpftop.tui.widgets.region import Region

BLOCK, GAP = 27, 3
"""Width of a block, and of the space before it."""

_SHORTENED = ((" request", ""), ("packet ", ""), (" problem", ""), ("solicitation", "sol."), ("advertisement", "adv."))
"""Words in names of ICMP types -> shorter words, so that a name fits into a block."""

FLAGS = {"syn": "SYN", "syn_ack": "SYN+ACK", "fin": "FIN", "rst": "RST", "other": "other"}


class Breakdown(Region):
    """Blocks side by side, as many columns as fit."""

    def draw(self, moment: Moment, width: int, height: int) -> Sequence[Line]:
        return breakdown(moment, max(1, (width + GAP) // (BLOCK + GAP)), height)


def breakdown(moment: Moment, block_columns: int, height: int) -> list[Line]:
    """Return the blocks in ``block_columns`` columns; a block that does not fit whole is left out.

    Permanent blocks fill the first column first and optional blocks the last, so that permanent blocks do not move
    when an optional block appears.
    """
    stacks: list[list[Line]] = [[] for _ in range(block_columns)]
    direction = moment.direction.upper()
    for fill_order, blocks in (
        (stacks, _permanent_blocks(moment.traffic, direction)),
        (stacks[::-1], _optional_blocks(moment.traffic, direction)),
    ):
        for block in blocks:
            stack = next((s for s in fill_order if len(s) + bool(s) + len(block) <= height), None)
            if block and stack is not None:
                stack += [(), *block] if stack else block
    lines = stacks[0]
    for number, stack in enumerate(stacks[1:], 1):
        lines = beside(lines, stack, number * (BLOCK + GAP) - GAP, GAP)
    return lines


def _permanent_blocks(traffic: DirectionTraffic, direction: str) -> Iterator[list[Line]]:
    """Yield sizes, TCP flags, casts and L3 classes, if they are counted."""
    if "joint" not in traffic.breakdowns:
        return
    flags = [traffic.cell_of("tcp_flags", flag) for flag in FLAG_LABELS]
    yield _block(f"{direction} frame sizes", SIZE_LABELS, _along(traffic, 2, SIZE_LABELS), traffic.totals)
    yield _block(f"{direction} TCP flags", FLAGS.values(), flags, _protocol(traffic, TCP))
    yield _block(f"{direction} sent to", CAST_LABELS, _along(traffic, 1, CAST_LABELS), traffic.totals)
    yield _block(f"{direction} network layer", L3_LABELS, _along(traffic, 0, L3_LABELS), traffic.totals)


def _optional_blocks(traffic: DirectionTraffic, direction: str) -> Iterator[list[Line]]:
    """Yield a block for each breakdown that has counted packets; an empty block for the others."""
    rows = sorted(traffic.breakdowns.get("icmp_types", {}).items())
    types = {_icmp(str(key[0]), int(key[1])): counts for key, counts in rows}
    yield _block_of_counted(f"{direction} ICMP types", types, None)
    ports = {name: traffic.cell_of("udp_ports", port) for port, name in REFLECTION_PORTS.items()}
    side = "from" if traffic.direction == "rx" else "to"
    yield _block_of_counted(f"{direction} UDP {side} port", ports, _protocol(traffic, UDP))
    fragments = {part: traffic.cell_of("fragments", part) for part in FRAGMENT_LABELS}
    yield _block_of_counted(f"{direction} fragments", fragments, traffic.totals)
    tags = {name: traffic.cell_of("vlans", count) for count, name in ((1, "one"), (2, "two"))}
    yield _block_of_counted(f"{direction} VLAN tags", tags, traffic.totals)


def _protocol(traffic: DirectionTraffic, number: int) -> Counts:
    return next((row.counts for row in traffic.protocols if row.number == number), NOTHING)


def _along(traffic: DirectionTraffic, label: int, names: Sequence[str]) -> list[Counts]:
    """Return the joint counts summed along one label, in the order of ``names``."""
    counts = traffic.along(label)
    return [counts.get(name, traffic.cell_of("joint")) for name in names]


def _icmp(protocol: str, number: int) -> str:
    name = icmp_type_name(protocol, number) or f"type {number}"
    for word, short in _SHORTENED:
        name = name.replace(word, short)
    return f"v6 {name}" if protocol == "icmpv6" else name


def _block_of_counted(title: str, rows: Mapping[str, Counts], whole: Counts | None) -> list[Line]:
    counted = {name: counts for name, counts in rows.items() if counts.packets}
    return _block(title, counted, list(counted.values()), whole) if counted else []


def _block(title: str, names: Iterable[str], rows: Sequence[Counts], whole: Counts | None) -> list[Line]:
    """Return the title, then name, bar, share of ``whole`` and rate; without ``whole``, name and rate."""
    lines = [fit(line((f"{title:<20}", "title"), ("    pps", "title")), BLOCK)]
    for name, counts in zip(names, rows, strict=True):
        rate = f"{si(counts.packets_per_sec):>7}"
        if whole is None:
            lines.append(line((f"{clipped(name, 18):<20}", "muted"), rate))
            continue
        part = ratio(counts.packets_per_sec, whole.packets_per_sec)
        lines.append(line((f"{name:<10}", "muted"), (bar(part, 4), "bar"), f"{pct(part):>6}", rate))
    return lines
