"""The right side of a wide screen: sizes, TCP flags, casts and what else one direction is made of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from bpftop.model.protocols import REFLECTION_PORTS, TCP, UDP, icmp_type_name
from bpftop.model.sample import CAST_LABELS, FLAG_LABELS, FRAGMENT_LABELS, L3_LABELS, SIZE_LABELS
from bpftop.model.snapshot import NOTHING, Counts, DirectionTraffic
from bpftop.model.units import bar, pct, si
from bpftop.render.rows import share
from bpftop.tui.view import PaneInput
from bpftop.tui.widgets.line import Line, beside, fit, line

BLOCK, GAP = 27, 3
"""Width of a block, and the space before it."""

_SHORT = ((" request", ""), ("packet ", ""), (" problem", ""), ("solicitation", "sol."), ("advertisement", "adv."))
"""Words of ICMP types that are cut so that a name fits into a block."""

FLAGS = {"syn": "SYN", "syn_ack": "SYN+ACK", "fin": "FIN", "rst": "RST", "other": "other"}


def columns(width: int, left: int) -> int:
    """How many blocks fit beside a table of ``left`` cells: none, one or two."""
    return max(0, min(2, (width - left) // (BLOCK + GAP)))


def breakdown(frame: PaneInput, blocks: int, height: int) -> list[Line]:
    """One or two columns of blocks; blocks that do not fit any more are left out as a whole.

    What is always there stands in the first column, what comes with the traffic in the second, so that the first one
    stays as it is.
    """
    stacks: list[list[Line]] = [[] for _ in range(blocks)]
    direction = frame.view.direction.upper()
    for order, found in (
        (stacks, _lasting(frame.traffic, direction)),
        (stacks[::-1], _seen_blocks(frame.traffic, direction)),
    ):
        for block in found:
            stack = next((s for s in order if len(s) + bool(s) + len(block) <= height), None)
            if block and stack is not None:
                stack += [(), *block] if stack else block
    drawn = stacks[0]
    for stack in stacks[1:]:
        drawn = beside(drawn, stack, BLOCK, GAP)
    return drawn


def _lasting(traffic: DirectionTraffic, direction: str) -> Iterator[list[Line]]:
    """Sizes, flags, casts and L3 classes, where they are counted."""
    if "joint" in traffic.breakdowns:
        whole = traffic.totals
        yield _block(f"{direction} frame sizes", SIZE_LABELS, _along(traffic, 2, SIZE_LABELS), whole)
        tcp = _protocol(traffic, TCP)
        yield _block(
            f"{direction} TCP flags", FLAGS.values(), [traffic.cell_of("tcp_flags", f) for f in FLAG_LABELS], tcp
        )
        yield _block(f"{direction} sent to", CAST_LABELS, _along(traffic, 1, CAST_LABELS), whole)
        yield _block(f"{direction} network layer", L3_LABELS, _along(traffic, 0, L3_LABELS), whole)


def _seen_blocks(traffic: DirectionTraffic, direction: str) -> Iterator[list[Line]]:
    """What a block has once one of its rows has been seen."""
    tags = {name: traffic.cell_of("vlans", count) for count, name in ((1, "one"), (2, "two"))}
    yield _seen(f"{direction} VLAN tags", tags, traffic.totals)
    fragments = {part: traffic.cell_of("fragments", part) for part in FRAGMENT_LABELS}
    yield _seen(f"{direction} fragments", fragments, traffic.totals)
    ports = {name: traffic.cell_of("udp_ports", port) for port, name in REFLECTION_PORTS.items()}
    udp = _protocol(traffic, UDP)
    side = "from" if traffic.direction == "rx" else "to"
    yield _seen(f"{direction} UDP {side} port", ports, udp)
    types = {
        _icmp(str(key[0]), int(key[1])): cell for key, cell in sorted(traffic.breakdowns.get("icmp_types", {}).items())
    }
    yield _seen(f"{direction} ICMP types", types, None)


def _protocol(traffic: DirectionTraffic, number: int) -> Counts:
    return next((row.counts for row in traffic.protocols if row.number == number), NOTHING)


def _along(traffic: DirectionTraffic, label: int, names: Sequence[str]) -> list[Counts]:
    found = traffic.along(label)
    return [found.get(name, traffic.cell_of("joint")) for name in names]


def _icmp(protocol: str, number: int) -> str:
    name = icmp_type_name(protocol, number) or f"type {number}"
    for word, short in _SHORT:
        name = name.replace(word, short)
    return f"v6 {name}" if protocol == "icmpv6" else name


def _seen(title: str, cells: Mapping[str, Counts], whole: Counts | None) -> list[Line]:
    kept = {name: cell for name, cell in cells.items() if cell.packets}
    return _block(title, kept, list(kept.values()), whole) if kept else []


def _block(title: str, names: Iterable[str], cells: Sequence[Counts], whole: Counts | None) -> list[Line]:
    """Title, then name, bar, share and rate; without a ``whole``, name and rate."""
    lines = [fit(line((f"{title:<20}", "title"), ("    pps", "title")), BLOCK)]
    for name, cell in zip(names, cells, strict=True):
        rate = f"{si(cell.packets_per_sec):>7}"
        if whole is None:
            lines.append(line((f"{name[:18]:<20}", "muted"), rate))
            continue
        part = share(cell.packets_per_sec, whole.packets_per_sec)
        lines.append(line((f"{name:<10}", "muted"), (bar(part, 4), "bar"), f"{pct(part):>6}", rate))
    return lines
