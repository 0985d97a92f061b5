"""The first line: a tab for every pane with its key and its words, and the way to the open place."""

from __future__ import annotations

from collections.abc import Sequence

from bpftop.tui.moment import Moment
from bpftop.tui.widgets.line import Line, Span, clean, ends, length, line, shortened
from bpftop.tui.widgets.region import Region


class TabLine(Region):
    """Tabs that can be clicked, with their names where these and the way back fit; else the digits alone."""

    def depends_on(self, moment: Moment) -> object:
        frame = moment.frame
        return frame.place, frame.tabs, frame.trail, frame.marks, frame.actions

    def draw(self, moment: Moment, width: int, height: int) -> Sequence[Line]:
        crumbs = _crumbs(moment)
        for names, after in ((True, " "), (True, ""), (False, " ")):
            tabs = tuple(span for pane, title in moment.frame.tabs for span in _tab(moment, pane, title, names, after))
            if length(tabs) + length(crumbs) < width:
                break
        room = max(0, width - length(tabs) - 1)
        return [ends(tabs, shortened(crumbs, room), width)]


def _tab(moment: Moment, pane: str, title: str, names: bool, after: str) -> Line:
    frame, mark = moment.frame, moment.frame.marks.get(pane, "")
    is_open = pane == frame.place.pane
    label = " ".join(filter(None, (frame.key_of(pane), title if names or is_open else "")))
    role = "title~" if is_open else "text"
    spans = [Span(f" {label}", role, pane)]
    if mark:
        spans.append(Span(f" {mark}", "title~" if is_open else "notice", pane))
    return (*spans, Span(after, role, pane)) if after else tuple(spans)


def _crumbs(moment: Moment) -> Line:
    """Return ``Overview › TCP  esc back``; nothing where a pane was opened directly."""
    trail = moment.frame.trail
    if not trail:
        return ()
    way = " › ".join(clean(step) for step in trail)
    return line(
        (way, "name"), ("  ", "text"), (moment.frame.key_of("back"), "key", "back"), (" back ", "muted", "back")
    )
