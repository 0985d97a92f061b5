"""The latest dropped packets of a row of the path, decoded in a line each."""

from __future__ import annotations

from bpftop.model.packet_filter import PacketFilter
from bpftop.render.packet_words import HEADING, HIDDEN_FUNCTIONS, cost_row, dropped_row
from bpftop.render.path_rows import sections
from bpftop.tui.moment import Moment
from bpftop.tui.widgets.line import Line, clean, line, shortened, wrapped


def row_packets(moment: Moment, key: str) -> PacketFilter | None:
    """Return which dropped packets belong to a row; None where the kernel gives no reason for them."""
    stage = next((each for each in moment.stages if each.stage.id == key), None)
    if stage is not None:
        return stage.packets
    details = (detail for section in sections(moment.selection) for detail in section.rows)
    return next((detail.packets for detail in details if detail.key == key), None)


def dropped_lines(moment: Moment, key: str, width: int) -> list[Line]:
    """Return the latest dropped packets of a row, newest first, and what copying them costs."""
    dropped = moment.frame.dropped
    if not moment.live:
        return []
    if dropped is None:
        stage = next((each.stage for each in moment.stages if each.stage.id == key), None)
        is_loss = stage is not None and stage.group is not None
        why = "The kernel names no reason for these packets, so none of them can be shown."
        return [(), *wrapped(why, "muted", width)] if is_loss and row_packets(moment, key) is None else []
    title = line(
        (f"The last {len(dropped.packets)} dropped packets" if dropped.packets else "Dropped packets", "title")
    )
    if dropped.trouble:
        return [(), title, *wrapped(clean(dropped.trouble), "notice", width)]
    now_ns = moment.snapshot.wall_ns
    rows = [line(dropped_row(packet, now_ns)) for packet in reversed(dropped.packets)]
    hidden = wrapped(HIDDEN_FUNCTIONS, "notice", width) if dropped.hides_functions else []
    return [
        (), title, *wrapped(cost_row(dropped), "muted", width), *hidden,
        *(shortened(row, width) for row in (line((HEADING, "title")), *rows) if dropped.packets),
    ]  # fmt: skip
