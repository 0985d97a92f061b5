"""The lines LOST, REFUSED and ELSEWHERE: each with its rate, the stages behind it, and the unread stages."""

from __future__ import annotations

from bpftop.model.units import rough
from bpftop.render.path_rows import Losses, losses
from bpftop.tui.view import PaneInput
from bpftop.tui.widgets.line import Line, Span, clean, crop, fit, length, line

DOT: Span = (" · ", "muted")


NARROW, LOW = 100, 14
"""Width below which ELSEWHERE ON THIS HOST is called HOST, and height below which losses have one line."""


def loss_lines(pane_input: PaneInput) -> list[Line]:
    """Return LOST on a line of its own, then REFUSED and ELSEWHERE ON THIS HOST side by side.

    A low screen has room for one line: LOST, or the others where nothing is lost and something moves there.
    """
    groups = losses(pane_input.selection)
    first = _lost_line(pane_input, groups["lost"])
    refused, elsewhere = groups["refused"], groups["elsewhere"]
    half = pane_input.width // 2
    left = _group(pane_input, "REFUSED", refused, half - 2)
    name = "HOST" if pane_input.width < NARROW else "ELSEWHERE ON THIS HOST"
    second = crop((*fit(left, half), *_group(pane_input, name, elsewhere, half)), pane_input.width)
    if pane_input.height >= LOW:
        return [first, second]
    return [second if not groups["lost"].per_sec and (refused.per_sec or elsewhere.per_sec) else first]


def _group(pane_input: PaneInput, name: str, lost: Losses, width: int) -> Line:
    """Return ``REFUSED  83 k/s  UDP no port 83 k``; stages that do not fit become a number."""
    if lost.per_sec is None:
        reason = "not known yet" if pane_input.snapshot.interval_ns is None else "-"
        return crop(line((name, "muted"), "  ", (reason, "muted")), width)
    if not lost.per_sec:
        return crop(line((name, "muted"), "  ", ("nothing", "muted")), width)
    head = line((name, "notice"), "  ", (f"{rough(lost.per_sec)}/s", "notice"), "  ")
    return crop((*head, *_stages(pane_input, lost, (), width - length(head), False)), width)


def _lost_line(pane_input: PaneInput, lost: Losses) -> Line:
    """Return ``LOST  2.0 k/s  backlog 1.2 k eth0 · listen 840 netns · 3 unread   31 k in 5 min``.

    On a narrow screen the stages that lose least become a number.
    """
    width = pane_input.width
    head = line(("LOST", "alarm" if lost.per_sec else "muted"), "  ")
    tail = line((f"  {rough(lost.recent)} in 5 min", "notice" if lost.per_sec else "muted")) if lost.recent else ()
    unread = line((f"{lost.unread} unread", "notice")) if lost.unread else ()
    if lost.per_sec is None:
        reason = "not known yet" if pane_input.snapshot.interval_ns is None else "-"
        return crop((*head, (reason, "muted"), DOT, *unread), width)
    if not lost.stages:
        nothing = line(("nothing", "good"), *((("  ·  ", "muted"), *unread) if unread else ()))
        return crop((*head, *fit(nothing, width - length(head) - length(tail)), *tail), width)
    head = (*head, *line((f"{rough(lost.per_sec)}/s".rjust(7), "notice"), "  "))
    for end, with_scopes in ((tail, True), ((), True), ((), False)):
        room = width - length(head) - length(end)
        stages = _stages(pane_input, lost, unread, room, with_scopes)
        if length(stages) <= room:
            break
    return crop((*head, *fit(stages, room), *end), width)


def _stages(pane_input: PaneInput, lost: Losses, unread: Line, room: int, with_scopes: bool) -> Line:
    """Return the largest stages that fit into ``room`` cells, in the order of the path."""
    ranked = sorted(lost.stages, key=lambda stage: -stage[1])
    for count in range(len(ranked), 0, -1):
        largest = [stage for stage in lost.stages if stage in ranked[:count]]
        parts = [
            line((name, "name"), f" {rough(rate)}", (f" {_owner(pane_input, scope)}" if with_scopes else "", "muted"))
            for name, rate, scope in largest
        ]
        if count < len(ranked):
            parts.append(line((f"+{len(ranked) - count} more", "key")))
        if unread:
            parts.append(unread)
        joined = tuple(span for part in parts for span in (*part, DOT))[:-1]
        if length(joined) <= room:
            break
    return joined


def _owner(pane_input: PaneInput, scope: str) -> str:
    """Return whose counter it is: the interface, the network namespace or the host."""
    if scope != "interface":
        return scope
    return "interfaces" if pane_input.shows_total else clean(pane_input.interface.label)
