"""The first line: a tab for every pane with its key and its words, and the way to the open place."""

from __future__ import annotations

from collections.abc import Sequence

from bpftop.render.cutting import ELLIPSIS, cut
from bpftop.tui.moment import Moment
from bpftop.tui.widgets.line import Line, Span, clean, ends, length, line
from bpftop.tui.widgets.region import Region


class TabLine(Region):
    """Tabs that can be clicked, with their names where these and the way back fit; else the digits alone."""

    def depends_on(self, moment: Moment) -> object:
        frame = moment.frame
        return frame.place, frame.tabs, frame.trail, frame.marks, frame.actions

    def draw(self, moment: Moment, width: int, height: int) -> Sequence[Line]:
        back = _back(moment)
        for names, after in ((True, " "), (True, ""), (False, " ")):
            tabs = tuple(span for pane, title in moment.frame.tabs for span in _tab(moment, pane, title, names, after))
            room = width - length(tabs) - length(back) - 1
            way = _way(moment, room)
            if room >= len(" › ".join(moment.frame.trail)):
                break
        return [ends(tabs, (*line((way, "name")), *back), width)]


def _tab(moment: Moment, pane: str, title: str, names: bool, after: str) -> Line:
    frame, mark = moment.frame, moment.frame.marks.get(pane, "")
    is_open = pane == frame.place.pane
    label = " ".join(filter(None, (frame.key_of(pane), title if names or is_open else "")))
    role = "title~" if is_open else "text"
    spans = [Span(f" {label}", role, pane)]
    if mark:
        spans.append(Span(f" {mark}", "title~" if is_open else "notice", pane))
    return (*spans, Span(after, role, pane)) if after else tuple(spans)


def _back(moment: Moment) -> Line:
    """Return ``  esc back``; nothing where a pane was opened directly."""
    if not moment.frame.trail:
        return ()
    return line(("  ", "text"), (moment.frame.key_of("back"), "key", "back"), (" back ", "muted", "back"))


def _way(moment: Moment, room: int) -> str:
    """Return ``Overview › TCP`` where there is room for it, else ``… › TCP``, else the first words of its last step."""
    trail = [clean(step) for step in moment.frame.trail]
    ways = [" › ".join([ELLIPSIS, *trail[at:]] if at else trail) for at in range(len(trail))]
    shortened = (_words_of_the_last(way, len(way) - len(trail[-1]), room) for way in ways)
    return next((way for way in ways if len(way) <= room), next(filter(None, shortened), ""))


def _words_of_the_last(way: str, last: int, room: int) -> str:
    """Return a way cut behind a word of its last step, which begins at ``last``; nothing without room for a word."""
    end, ellipsis = cut(way, room)
    return way[:end] + ellipsis if end > last and way[end] == " " else ""
