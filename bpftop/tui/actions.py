"""The table of actions: what a person can do, on which key, and what the help says about it.

No Textual import: the configuration asks for the ids.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from bpftop.model.snapshot import Snapshot


@dataclass(frozen=True)
class Action:
    """``id`` is what the configuration's ``keys`` names; ``keys`` are Textual's names for them, separated by commas;
    ``hint`` is for the last line."""

    id: str
    keys: str
    help: str
    hint: str = ""

    @property
    def first_key(self) -> str:
        return KEY_NAMES.get(self.keys.split(",")[0], self.keys.split(",")[0])


KEY_NAMES = {
    "question_mark": "?", "slash": "/", "left_square_bracket": "[", "right_square_bracket": "]", "escape": "esc",
    "at": "@", "left": "←", "right": "→", "up": "↑", "down": "↓", "shift+left": "shift+←", "shift+right": "shift+→",
    "left_parenthesis": "(", "right_parenthesis": ")",
}  # fmt: skip

ACTIONS: tuple[Action, ...] = (
    Action("pause", "p", "Pause the screen; counting goes on. Again: live.", "pause"),
    Action("mark", "m", "Mark `before`: x 1 min becomes x mark, the factor since then. Again: no mark.", "mark"),
    Action("filter", "slash",
           "Filter rows as you type: protocol names, CPU numbers such as 0-3,8, stages and counters. Enter keeps, esc "
           "clears.", "filter"),
    Action("sort", "s", "Sort by the next column; after the last one, the usual order."),
    Action("reverse", "o", "Turn the sort order round."),
    Action("save", "S", "Save this moment as a snapshot document and show its path.", "save"),
    Action("record", "r", "Record every tick into a file, and show its path. Again: end the recording."),
    Action("seek", "at", "In a replay: go to a moment: 03:12, 03:12:44, 2025-11-26T03:12Z (UTC), -90, +5m.", "seek"),
    Action("speed", "f", "In a replay: ten times as fast; again: at the recorded pace.", "10x"),
    Action("next_finding", "right_parenthesis", "To when the next finding was raised; live: in the last ten minutes.",
           "finding"),
    Action("previous_finding", "left_parenthesis", "To when the finding before was raised."),
    Action("overview", "1", "Overview: protocols, sizes, flags.", "Overview"),
    Action("cpus", "2", "CPUs: one row per CPU.", "CPUs"),
    Action("path", "3", "Path: where packets die, stage by stage.", "Path"),
    Action("flows", "4", "Flows: who talks to whom; they are counted only while this pane is open.", "Flows"),
    Action("profile", "6", "Profile: what map operations cost on this machine.", "Profile"),
    Action("bench", "7", "Bench: programs compared with each other on this machine.", "Bench"),
    Action("findings", "8", "Findings: what is wrong and why, what was before, which rules are blind.", "Findings"),
    Action("help", "question_mark,f1", "This help. Again, or esc: back.", "help"),
    Action("quit", "q,ctrl+c", "Quit.", "quit"),
    Action("direction", "t", "Look at RX or at TX: shares, factors, trends, sizes and CPUs."),
    Action("next_interface", "tab,right_square_bracket", "With several interfaces: the next one, or the total."),
    Action("previous_interface", "shift+tab,left_square_bracket", "The one before."),
    Action("wide", "w", "In CPUs: all CPUs as one strip, a cell per CPU, instead of rows."),
    Action("group", "b", "In Flows: group by source, destination, destination port, or not at all."),
    Action("names", "n", "In Flows: ask for the names of the addresses on the screen; again: without names."),
    Action("sample", "N", "In Flows: count every packet, one of 10, one of 100; the last two are estimates."),
    Action("earlier", "left,h",
           "One tick back, through the last ten minutes, in a replay all of it; pauses. In Profile: changes a value."),
    Action("later", "right,l", "One tick forward, while paused."),
    Action("much_earlier", "shift+left,H", "Ten ticks back."),
    Action("much_later", "shift+right,L", "Ten ticks forward."),
    Action("down", "down,j", "Select the next row."),
    Action("up", "up,k", "Select the row above."),
    Action("page_down", "pagedown,space,ctrl+d", "A page down."),
    Action("page_up", "pageup,ctrl+u", "A page up."),
    Action("first", "g,home", "Select the first row."),
    Action("last", "G,end", "Select the last row."),
    Action("choose", "enter", "In Profile: measure. In Bench: run a suite, or all; why the winner wins."),
    Action("run", "R", "In Profile and Bench: measure, also what was measured before. Esc cancels."),
    Action("copy", "y", "Copy the selected row to the clipboard (OSC 52); with none selected, the whole screen."),
    Action("save_screen", "V,ctrl+s", "Save the screen as an SVG picture and show its path."),
    Action("accept", "x", "Take up what the last line offers, after a question."),
    Action("clear", "escape", "Leave the help; end the message, the selection, the filter, the pause: one by one."),
    Action("repaint", "ctrl+l", "Paint the whole screen again, where something else wrote into it."),
    Action("suspend", "ctrl+z", "To the background."),
)  # fmt: skip


def with_keys(chosen: Mapping[str, str]) -> tuple[Action, ...]:
    """The actions with the keys that a person chose for some; a chosen key is taken from whatever had it."""
    taken = {key for keys in chosen.values() for key in keys.split(",")}
    return tuple(
        replace(a, keys=chosen.get(a.id) or ",".join(key for key in a.keys.split(",") if key not in taken))
        for a in ACTIONS
    )


REPLAY_KEYS = {"pause": "p,space"}
"""In a replay, where a page down is not worth the space bar. A person's own choice of keys goes first."""
REPLAY_ONLY = frozenset({"seek", "speed", "next_finding"})
LIVE_ONLY = frozenset({"record", "accept"})
"""Actions that the last line does not offer live, or in a replay."""

ACTION_IDS = tuple(action.id for action in ACTIONS)


@dataclass(frozen=True)
class Actions:
    """What the screen can have done for it. Each may block and raise BpftopError: they run in threads of their own."""

    save_snapshot: Callable[[Snapshot], str]
    """Writes the document; returns its path."""
    accept_offer: Callable[[str], None]
    """Does what the offer of the interface with this label says."""
    watch_flows: Callable[[bool, int], None]
    """Counts flows from now on, one packet of so many, or no more; at once."""
    save_picture: Callable[[str], str]
    """Writes the SVG text; returns its path."""
    record: Callable[[], str] | None = None
    """Begins to record every tick, or ends that; returns what was done, as a sentence."""
