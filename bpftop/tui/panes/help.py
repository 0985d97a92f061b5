"""The help: notices, keys, columns and hooks, built from the tables that build the screen."""

from __future__ import annotations

from collections.abc import Iterable

from bpftop.render.glossary import HOOK_TERMS, LINE_TERMS
from bpftop.render.traffic_columns import CPU_COLUMNS, PROTOCOL_COLUMNS
from bpftop.tui.actions import KEY_NAMES
from bpftop.tui.panes import load_pane
from bpftop.tui.panes.pane import Pane
from bpftop.tui.view import PaneInput
from bpftop.tui.widgets.header import header, notices
from bpftop.tui.widgets.line import Line, line, text, wrap

NAME_WIDTH = 23
DASH = "A dash is no value: not known yet, not readable, or a counter that was reset. It is never zero."


class HelpPane(Pane):
    """The help. Its cursor is the number of the top line."""

    def lines(self, pane_input: PaneInput, height: int) -> list[Line]:
        lines = _text_lines(pane_input)
        top = min(int(pane_input.view.cursor or 0), max(0, len(lines) - height + 1))  # a wider screen has fewer lines
        return [header(pane_input), *lines[top : top + height - 1]]

    def keys(self, pane_input: PaneInput) -> list[str]:
        return [str(number) for number in range(max(1, len(_text_lines(pane_input)) - pane_input.height + 3))]

    def row_text(self, pane_input: PaneInput, key: str) -> str:
        return "\n".join(text(spans) for spans in _text_lines(pane_input))


PANE = HelpPane()


def _text_lines(pane_input: PaneInput) -> list[Line]:
    width = min(pane_input.width, 110)
    pane_behind = load_pane(pane_input.view.back_to)
    return [
        *_section("Notices", [("!", sentence) for sentence in notices(pane_input)], width),
        *_section("Keys", ((_keys(a.keys), a.help) for a in pane_input.actions), width),
        *_section(pane_behind.terms_title, pane_behind.terms, width),
        *_section("The lines above the table", LINE_TERMS.items(), width),
        *_section("Columns of protocols", ((f.title, f.help) for f in PROTOCOL_COLUMNS), width),
        *_section("Columns of CPUs", ((f.title, f.help) for f in CPU_COLUMNS), width),
        *_section("What a packet and a byte are, by hook", HOOK_TERMS.items(), width),
        *(line((part, "muted")) for part in wrap(DASH, width)),
    ]


def _keys(keys: str) -> str:
    return " ".join(KEY_NAMES.get(key, key) for key in keys.split(","))


def _section(title: str, terms: Iterable[tuple[str, str]], width: int) -> list[Line]:
    """Return the title and the terms with their meanings; nothing without terms."""
    lines: list[Line] = []
    for name, meaning in terms:
        for number, part in enumerate(wrap(meaning, width - NAME_WIDTH)):
            lines.append(line((f"{name if number == 0 else '':<{NAME_WIDTH}}", "name"), part))
    return [line((title, "title")), *lines, ()] if lines else []
