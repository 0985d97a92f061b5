"""The help: notices, keys, columns, hooks; made from the tables that the screen is made from."""

from __future__ import annotations

from collections.abc import Iterable

from bpftop.render.glossary import HOOK_TERMS, LINE_TERMS
from bpftop.render.traffic_columns import CPU_COLUMNS, PROTOCOL_COLUMNS
from bpftop.tui.actions import KEY_NAMES
from bpftop.tui.view import PaneInput, PaneName
from bpftop.tui.widgets.header import header, notices
from bpftop.tui.widgets.line import Line, line, text, wrap

NAME_WIDTH = 23
DASH = "A dash is no value: not known yet, not readable, or a counter that was reset. It is never zero."


def lines(frame: PaneInput, height: int) -> list[Line]:
    drawn = text_lines(frame)
    top = min(int(frame.view.cursor or 0), max(0, len(drawn) - height + 1))  # a wider screen has fewer lines
    return [header(frame), *drawn[top : top + height - 1]]


def keys(frame: PaneInput) -> list[str]:
    """The lines that can be the first one: the cursor scrolls."""
    return [str(number) for number in range(max(1, len(text_lines(frame)) - frame.height + 3))]


def sort_ids(frame: PaneInput) -> list[str]:
    return []


def row_text(frame: PaneInput, key: str) -> str:
    """All of the help, for the clipboard."""
    return "\n".join(text(drawn) for drawn in text_lines(frame))


def text_lines(frame: PaneInput) -> list[Line]:
    width = min(frame.width, 110)
    said = [("!", sentence) for sentence in notices(frame)]
    return [
        *_section("Notices", said, width),
        *_section("Keys", ((_keys(a.keys), a.help) for a in frame.actions), width),
        *_of_pane(frame.view.back_to, width),
        *_section("The lines above the table", LINE_TERMS.items(), width),
        *_section("Columns of protocols", ((f.title, f.help) for f in PROTOCOL_COLUMNS), width),
        *_section("Columns of CPUs", ((f.title, f.help) for f in CPU_COLUMNS), width),
        *_section("What a packet and a byte are, by hook", HOOK_TERMS.items(), width),
        *(line((part, "muted")) for part in wrap(DASH, width)),
    ]


def _of_pane(pane: PaneName, width: int) -> list[Line]:
    """What stands in the pane that the help was called from, for those that are imported only when they are opened."""
    if pane == "profile":
        from bpftop.tui.panes.maps import TERMS

        return _section("Profile", TERMS, width)
    if pane == "path":
        from bpftop.tui.panes.path import TERMS

        return _section("Columns of the path", TERMS, width)
    if pane == "findings":
        from bpftop.tui.panes.findings import TERMS

        return _section("Findings", TERMS, width)
    if pane == "flows":
        from bpftop.tui.panes.flows import TERMS

        return _section("Flows", TERMS, width)
    if pane == "bench":
        from bpftop.tui.panes.programs import TERMS

        return _section("Bench", TERMS, width)
    return []


def _keys(keys: str) -> str:
    return " ".join(KEY_NAMES.get(key, key) for key in keys.split(","))


def _section(title: str, terms: Iterable[tuple[str, str]], width: int) -> list[Line]:
    found: list[Line] = []
    for name, meaning in terms:
        for number, part in enumerate(wrap(meaning, width - NAME_WIDTH)):
            found.append(line((f"{name if number == 0 else '':<{NAME_WIDTH}}", "name"), part))
    return [line((title, "title")), *found, ()] if found else []
