"""The help: keys and columns of the pane behind it first, then everything else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from textual.app import ComposeResult
from textual.screen import Screen

from bpftop.render.columns import Column
from bpftop.tui.actions import Action, shown_keys
from bpftop.tui.bindings import bindings
from bpftop.tui.moment import Moment
from bpftop.tui.panes import PANES
from bpftop.tui.panes.pane import Pane
from bpftop.tui.widgets.header import notices
from bpftop.tui.widgets.line import Line, line, text, wrap
from bpftop.tui.widgets.scroller import TextPanel

LINE_TERMS: Mapping[str, str] = {
    "9 ns a packet": "Time that the program takes for a packet on this machine, measured when it was attached; RX/TX "
    "where they differ.",
    "bpftop 1.2 % CPU": "CPU time of bpftop itself, in percent of one core.",
    "pps, b/s": "All packets and bits of the interface per second.",
    "88 B a frame": "Mean frame size.",
    "12 % of 10G": "Utilisation of the link, with preamble, gap and FCS (24 B per frame); only where its speed can be "
    "believed.",
    "chart": "Packets per second over ten minutes: RX above the axis, TX below it, both on one scale. A cross on the "
    "axis: packets were lost. A click pauses at that moment.",
    "1.4 x a minute ago": "How many times as many packets as one minute ago (mean of 5 s); after `m`, as at the mark.",
    "1.1 of 16 carry RX": "On how many CPUs the packets would be, if all of them had the same: 1 / sum of squared "
    "shares. 1.0: one CPU does it all.",
    "softirq 98 %": "Part of its time that the busiest CPU spent in softirqs, of all interfaces.",
    "LOST": "Packets lost by the interface or its network namespace in the last interval, per second, stage by stage "
    "(3 Path). Not readable: stages whose counters cannot be read here.",
    "REFUSED": "Packets turned away: to closed ports, without a route, by a firewall.",
    "ELSEWHERE": "Losses in counters of the whole host, without the part of the interface.",
    "CPU strip": "A cell per CPU, packets per second; the tallest is the busiest one.",
}
"""Terms of the lines above the tables."""

HOOK_TERMS: Mapping[str, str] = {
    "xdp native": "Every frame that the driver received, before the stack. On NICs and veth a packet is a wire frame, "
    "on tap it can be a super-frame of many. Bytes: L2 without FCS.",
    "xdp generic": "After the driver and GRO: packets that were merged count as one. Bytes: L2 without FCS.",
    "tcx": "In the stack. A super-frame counts as the wire frames it stands for, each with its headers. Frames that "
    "the stack drops before are not seen.",
    "clsact": "As tcx.",
    "rtnetlink": "The kernel's own counters of the interface: totals only, no protocols, CPUs or sizes.",
}
"""The meaning of packets and bytes at each hook."""


NAME_WIDTH = 23
DASH = "A dash is no value: not known yet, not readable, or a counter that was reset. It is never zero."


class HelpText(TextPanel):
    """The text of the help for the pane behind it."""

    def __init__(self, pane: Pane) -> None:
        super().__init__()
        self._pane = pane

    def text_lines(self, moment: Moment, width: int) -> list[Line]:
        width, pane = min(width, 116), self._pane
        title = PANES[pane.name or ""].title
        hinted = [action for action, _ in pane.hints]
        own = [a for name in hinted for a in moment.frame.actions if a.id == name]
        others = [a for a in moment.frame.actions if a not in own]
        said = notices(moment.snapshot, moment.frame.remarks)
        return [
            line((f"Help: {title}", "title"), ("   esc or ? goes back, y copies it all", "muted")),
            (),
            *_section(f"Keys of {title}", _keys(own), width),
            *_section(f"Columns of {title}", [("source", pane.source), *map(_column, pane.columns)], width),
            *_section(f"Words of {title}", pane.terms, width),
            *_section("All other keys", _keys(others), width),
            *_section("Mouse", MOUSE, width),
            *_section("Notices", [("!", sentence) for sentence in said], width),
            *_section("The lines above the tables", LINE_TERMS.items(), width),
            *_section("What a packet and a byte are, by hook", HOOK_TERMS.items(), width),
            *(line((part, "muted")) for part in wrap(DASH, width)),
        ]


MOUSE = (
    ("click", "A tab opens its pane, a title sorts, a row is selected and opened by a second click, a key of the last "
     "line does what the key does, a cell of the chart goes to its moment."),
    ("wheel", "Scrolls the table under the mouse."),
    ("shift", "With most terminals, shift and the mouse select text; `--no-mouse` leaves the mouse to the terminal."),
)  # fmt: skip


class HelpScreen(Screen[None], inherit_bindings=False):
    """The help on the whole screen."""

    BINDINGS = bindings("help", "back", "copy")
    ALLOW_SELECT = False

    def __init__(self, moment: Moment, pane: Pane) -> None:
        super().__init__()
        self._moment, self._pane = moment, pane

    def compose(self) -> ComposeResult:
        yield HelpText(self._pane)

    def on_mount(self) -> None:
        text_panel = self.query_one(HelpText)
        text_panel.show(self._moment)
        text_panel.focus(scroll_visible=False)

    def action_help(self) -> None:
        self.dismiss()

    def action_back(self) -> None:
        self.dismiss()

    def action_copy(self) -> None:
        lines = self.query_one(HelpText).text_lines(self._moment, 116)
        self.app.copy_to_clipboard("\n".join(text(spans).rstrip() for spans in lines))


def _keys(actions: Iterable[Action]) -> Iterator[tuple[str, str]]:
    return ((shown_keys(action.keys), action.help) for action in actions)


def _column(column: Column[object]) -> tuple[str, str]:
    """Return the title of a column, its meaning, its unit and its source."""
    return column.title.strip() or column.id, column.explanation


def _section(title: str, terms: Iterable[tuple[str, str]], width: int) -> list[Line]:
    """Return the title and the terms with their meanings; nothing without terms."""
    lines: list[Line] = []
    for name, meaning in terms:
        for number, part in enumerate(wrap(meaning, width - NAME_WIDTH)):
            lines.append(line((f"{name if number == 0 else '':<{NAME_WIDTH}}", "name"), part))
    return [line((title, "title")), *lines, ()] if lines else []
