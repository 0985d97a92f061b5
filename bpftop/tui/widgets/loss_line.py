"""The lines LOST, REFUSED and ELSEWHERE: each with its rate and the stages behind it."""

from __future__ import annotations

from collections.abc import Sequence

from bpftop.fields import replace
from bpftop.model.timestamps import clock_time
from bpftop.model.units import rough
from bpftop.render.path_rows import Losses, losses_of
from bpftop.tui.moment import Moment
from bpftop.tui.widgets.line import Line, Span, clean, fit, length, line, shortened
from bpftop.tui.widgets.region import Region

DOT = Span(" · ", "muted")
NARROW = 100
"""Width below which ELSEWHERE ON THIS HOST is called ELSEWHERE."""


class LossLines(Region):
    """LOST on a line of its own, then REFUSED and ELSEWHERE ON THIS HOST side by side.

    In a single line: LOST, or the others where nothing is lost and something moves there. A click opens the path.
    """

    def draw(self, moment: Moment, width: int, height: int) -> Sequence[Line]:
        return loss_lines(moment, width, height)


def loss_lines(moment: Moment, width: int, height: int) -> list[Line]:
    """Return the two lines, or the more important one."""
    groups = losses_of(moment.stages)
    first = _lost_line(moment, groups["lost"], width)
    refused, elsewhere = groups["refused"], groups["elsewhere"]
    half = width // 2
    left = _group(moment, "REFUSED", refused, half - 2, "name")
    name = "ELSEWHERE" if width < NARROW else "ELSEWHERE ON THIS HOST"
    second = (*fit(left, half), *_group(moment, name, elsewhere, width - half, "notice"))
    if height >= 2:
        return [first, second]
    return [second if not groups["lost"].per_sec and (refused.per_sec or elsewhere.per_sec) else first]


def _group(moment: Moment, name: str, lost: Losses, width: int, role: str) -> Line:
    """Return ``REFUSED  83 k/s  UDP no port 83 k``; stages that do not fit become a number, then an ellipsis.

    ``role`` is the look of the name where something was dropped: every healthy host refuses a little.
    """
    if lost.per_sec is None:
        reason = "not known yet" if moment.snapshot.interval_ns is None else "not known"
        return shortened(line((name, "muted"), "  ", (reason, "muted")), width)
    if not lost.per_sec:
        return shortened(line((name, "muted"), "  ", ("nothing", "muted")), width)
    head = line((name, role, "path"), "  ", (f"{rough(lost.per_sec)}/s", role, "path"), "  ")
    room = width - length(head)
    stages = _stages(moment, lost, (), room, False)
    if length(stages) > room:
        largest = max(lost.stages, key=lambda stage: stage[1])
        stages = (*_stages(moment, replace(lost, stages=[largest]), (), room, False), Span(" …", "muted"))
    return (*head, *stages) if length(stages) <= room else head


def _lost_line(moment: Moment, lost: Losses, width: int) -> Line:
    """Return ``LOST  2.0 k/s  backlog 1.2 k eth0 · listen 840 netns   peak 3.1 k/s 03:12:31Z  31 k in 5 min``.

    A narrow screen drops the five minutes, then the scopes, then the peak; the stages that lose least become a number.
    """
    head = line(("LOST", "alarm" if lost.per_sec else "muted", "path"), "  ")
    role = "notice" if lost.per_sec else "muted"
    recent = line((f"  {rough(lost.recent)} in 5 min", role)) if lost.recent else ()
    peak = _peak(moment)
    peaked = line((f"  {peak}", role)) if peak else recent
    tail = (*peaked, *recent) if peak else recent
    unread = line((f"{lost.unread} not readable", "notice", "path")) if lost.unread else ()
    pending = line((f"{lost.pending} not read yet", "muted", "path")) if lost.pending else ()
    if lost.per_sec is None:
        reason = "not known yet" if moment.snapshot.interval_ns is None else "not known"
        return shortened((*head, Span(reason, "muted"), *((DOT, *unread) if unread else ())), width)
    unread = (*unread, DOT, *pending) if unread and pending else unread or pending
    if not lost.stages:
        nothing = line(("nothing", "good"), *((("  ·  ", "muted"), *unread) if unread else ()))
        fits = length(head) + length(nothing) + length(tail) <= width
        end = tail if fits else recent
        return shortened((*head, *fit(nothing, width - length(head) - length(end)), *end), width)
    head = (*head, *line((f"{rough(lost.per_sec)}/s".rjust(7), "notice", "path"), "  "))
    for end, with_scopes in ((tail, True), (peaked, True), (peaked, False), ((), False)):
        room = width - length(head) - length(end)
        stages = _stages(moment, lost, unread, room, with_scopes)
        if length(stages) <= room:
            break
    return shortened((*head, *fit(shortened(stages, room), room), *end), width)


def _peak(moment: Moment) -> str:
    """Return ``peak 3.1 k/s 03:12:31Z`` of all that was lost here; empty if nothing was, or for one of many."""
    peak = moment.snapshot.loss_peaks.get("lost")
    if peak is None or (moment.has_many_interfaces and not moment.shows_total):
        return ""
    rate, mono_ns = peak
    return f"peak {rough(rate)}/s {clock_time(moment.snapshot.wall_time_ns(mono_ns))}"


def _stages(moment: Moment, lost: Losses, unread: Line, room: int, with_scopes: bool) -> Line:
    """Return the largest stages that fit into ``room`` cells, in the order of the path."""
    ranked = sorted(lost.stages, key=lambda stage: -stage[1])
    joined: Line = ()
    for count in range(len(ranked), 0, -1):
        largest = [stage for stage in lost.stages if stage in ranked[:count]]
        parts = [
            line(
                (name, "name", "path"), f" {rough(rate)}", (f" {_owner(moment, scope)}" if with_scopes else "", "muted")
            )
            for name, rate, scope in largest
        ]
        if count < len(ranked):
            parts.append(line((f"{len(ranked) - count} more", "key", "path")))
        if unread:
            parts.append(unread)
        joined = tuple([span for part in parts for span in (*part, DOT)][:-1])
        if length(joined) <= room:
            break
    return joined


def _owner(moment: Moment, scope: str) -> str:
    """Return whose counter it is: the interface, the network namespace or the host."""
    if scope != "interface":
        return scope
    return "interfaces" if moment.shows_total else clean(moment.interface.label)
