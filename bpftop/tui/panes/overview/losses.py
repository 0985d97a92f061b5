"""What is lost, in one line: the rate, the stages that lose and whose counters they are, what cannot be seen."""

from __future__ import annotations

from bpftop.model.sample import Interface
from bpftop.model.units import rough
from bpftop.render.path_rows import Losses, losses
from bpftop.render.selection import Selection
from bpftop.tui.view import PaneInput
from bpftop.tui.widgets.line import Line, Span, clean, crop, fit, length, line

DOT: Span = (" · ", "muted")


def looked(frame: PaneInput) -> Selection:
    """What is looked at, for the rows of the path."""
    return Selection(frame.shown, frame.watched, frame.history, frame.view.mark)


def loss_line(frame: PaneInput) -> Line:
    """``LOST  2.0 k/s  backlog 1.2 k host · listen 840 netns · 3 unseen   31 k in 5 min``; where it is narrow, the
    stages that lose least stand as a number."""
    found = losses(looked(frame))
    head = line(("LOST", "alarm" if found.per_sec else "muted"), "  ")
    tail = line((f"  {rough(found.recent)} in 5 min", "notice" if found.per_sec else "muted")) if found.recent else ()
    unseen = line((f"{found.unseen} unseen", "notice")) if found.unseen else ()
    room = frame.width - length(head) - length(tail)
    if found.per_sec is None:
        why = "not known yet" if frame.shown.interval_ns is None else "-"
        return crop((*head, (why, "muted"), DOT, *unseen), frame.width)
    if not found.stages:
        said = line(("nothing", "good"), *((("  ·  ", "muted"), *unseen) if unseen else ()))
        return crop((*head, *fit(said, room), *tail), frame.width)
    head = (*head, *line((f"{rough(found.per_sec)}/s".rjust(7), "notice"), "  "))
    for end, scopes in ((tail, True), ((), True), ((), False)):
        room = frame.width - length(head) - length(end)
        named = _named(frame, found, unseen, room, scopes)
        if length(named) <= room:
            break
    return crop((*head, *fit(named, room), *end), frame.width)


def _named(frame: PaneInput, found: Losses, unseen: Line, room: int, scopes: bool) -> Line:
    """As many of the stages as there is room for, in the order of the path; the largest ones stay."""
    ranked = sorted(found.stages, key=lambda stage: -stage[1])
    for count in range(len(ranked), 0, -1):
        kept = [stage for stage in found.stages if stage in ranked[:count]]
        parts = [
            line((name, "name"), f" {rough(rate)}", (f" {_whose(frame, scope)}" if scopes else "", "muted"))
            for name, rate, scope in kept
        ]
        if count < len(ranked):
            parts.append(line((f"+{len(ranked) - count} more", "key")))
        if unseen:
            parts.append(unseen)
        joined = tuple(span for part in parts for span in (*part, DOT))[:-1]
        if length(joined) <= room:
            break
    return joined


def _whose(frame: PaneInput, scope: str) -> str:
    if scope != "interface":
        return scope
    watched: Interface = frame.watched.interface
    return "interfaces" if frame.many and frame.watched is frame.shown.total else clean(watched.label)
