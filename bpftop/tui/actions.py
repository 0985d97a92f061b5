"""The table of actions: id, keys, help and hint of everything that a person can do on the screen.

Textual is not imported: the configuration needs the ids.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from bpftop.model.snapshot import Snapshot


@dataclass(frozen=True)
class Action:
    """One entry of the table."""

    id: str
    """Named by ``keys`` in the configuration."""
    keys: str
    """Textual's names of the keys, separated by commas."""
    help: str
    hint: str = ""
    """Word for the last line of the screen; empty: the action has none."""

    @property
    def first_key(self) -> str:
        """Return the first key as the screen shows it."""
        return KEY_NAMES.get(self.keys.split(",")[0], self.keys.split(",")[0])


KEY_NAMES = {
    "question_mark": "?", "slash": "/", "left_square_bracket": "[", "right_square_bracket": "]", "escape": "esc",
    "at": "@", "left": "←", "right": "→", "up": "↑", "down": "↓", "shift+left": "shift+←", "shift+right": "shift+→",
    "left_parenthesis": "(", "right_parenthesis": ")",
}  # fmt: skip

ACTIONS: tuple[Action, ...] = (
    Action("pause", "p", "Pause the screen; counting goes on. Again: live.", "pause"),
    Action("mark", "m", "Show changes since this moment instead of since a minute ago. Again: no mark.", "mark"),
    Action("filter", "slash",
           "Filter rows as you type: protocol names, CPU numbers such as 0-3,8, stages and counters. Enter keeps, esc "
           "clears.", "filter"),
    Action("sort", "s", "Sort by the next column; after the last one, the usual order."),
    Action("reverse", "o", "Turn the sort order round."),
    Action("save", "S", "Save this snapshot as a JSON document and show its path.", "save"),
    Action("record", "r", "Record every tick into a file, and show its path. Again: end the recording."),
    Action("seek", "at", "In a replay: go to a moment: 03:12, 03:12:44, 2025-11-26T03:12Z (UTC), -90, +5m.", "seek"),
    Action("speed", "f", "In a replay: ten times as fast; again: at the recorded pace.", "10x"),
    Action("next_finding", "right_parenthesis",
           "Go to the moment when the next finding was raised; live: in the last ten minutes.", "finding"),
    Action("previous_finding", "left_parenthesis", "Go to the moment when the previous finding was raised."),
    Action("overview", "1", "Overview: protocols, sizes, flags.", "Overview"),
    Action("cpus", "2", "CPUs: one row per CPU.", "CPUs"),
    Action("path", "3", "Path: where packets are lost, stage by stage.", "Path"),
    Action("flows", "4", "Flows: who talks to whom; flows are counted only while this pane is open.", "Flows"),
    Action("profile", "6", "Profile: what map operations cost on this machine.", "Profile"),
    Action("bench", "7", "Bench: programs compared with each other on this machine.", "Bench"),
    Action("findings", "8", "Findings: what is wrong and why, past findings, blind checks.", "Findings"),
    Action("help", "question_mark,f1", "This help. Again, or esc: back.", "help"),
    Action("quit", "q,ctrl+c", "Quit.", "quit"),
    Action("direction", "t", "Switch between RX and TX: shares, changes, trends, sizes and CPUs."),
    Action("next_interface", "tab,right_square_bracket", "With several interfaces: the next interface, or the total."),
    Action("previous_interface", "shift+tab,left_square_bracket", "Select the previous interface."),
    Action("wide", "w", "In CPUs: all CPUs as one strip, a cell per CPU, instead of rows."),
    Action("group", "b", "In Flows: group by source, destination, destination port, or not at all."),
    Action("names", "n", "In Flows: look up the names of the addresses on the screen; again: hide the names."),
    Action("sample", "N", "In Flows: count every packet, 1 in 10, or 1 in 100; the last two are estimates."),
    Action("earlier", "left,h",
           "One tick back and pause: through the last ten minutes, or a whole replay. In Profile: change a value."),
    Action("later", "right,l", "One tick forward, while paused."),
    Action("much_earlier", "shift+left,H", "Ten ticks back."),
    Action("much_later", "shift+right,L", "Ten ticks forward."),
    Action("down", "down,j", "Select the next row."),
    Action("up", "up,k", "Select the row above."),
    Action("page_down", "pagedown,space,ctrl+d", "A page down."),
    Action("page_up", "pageup,ctrl+u", "A page up."),
    Action("first", "g,home", "Select the first row."),
    Action("last", "G,end", "Select the last row."),
    Action("choose", "enter", "In Profile: measure. In Bench: run the suite, or all; then: why the winner wins."),
    Action("run", "R", "In Profile and Bench: measure again. Esc cancels."),
    Action("copy", "y", "Copy the selected row to the clipboard (OSC 52); with none selected, the whole screen."),
    Action("save_screen", "V,ctrl+s", "Save the screen as an SVG picture and show its path."),
    Action("accept", "x", "Accept what the last line offers; asks first."),
    Action("clear", "escape", "Leave the help; end the message, the selection, the filter, the pause: one per press."),
    Action("repaint", "ctrl+l", "Repaint the whole screen, for example after another program wrote on it."),
    Action("suspend", "ctrl+z", "Suspend bpftop; fg brings it back."),
)  # fmt: skip


def with_keys(configured: Mapping[str, str]) -> tuple[Action, ...]:
    """Return the actions with configured keys (action id -> keys). A configured key is taken from its other action."""
    taken = {key for keys in configured.values() for key in keys.split(",")}
    return tuple(
        replace(a, keys=configured.get(a.id) or ",".join(key for key in a.keys.split(",") if key not in taken))
        for a in ACTIONS
    )


REPLAY_KEYS = {"pause": "p,space"}
"""Keys that differ in a replay: space plays and pauses. Configured keys come first."""
REPLAY_ONLY = frozenset({"seek", "speed", "next_finding"})
"""Actions that the last line offers only in a replay."""
LIVE_ONLY = frozenset({"record", "accept"})
"""Actions that the last line offers only on a live screen."""

ACTION_IDS = tuple(action.id for action in ACTIONS)


@dataclass(frozen=True)
class Actions:
    """Side effects that the screen asks its caller for.

    Every function may raise BpftopError. All but ``watch_flows`` may block: the app calls them in threads.
    """

    save_snapshot: Callable[[Snapshot], str]
    """Write the document and return its path."""
    accept_offer: Callable[[str], None]
    """Carry out the offer of the interface with this label."""
    watch_flows: Callable[[bool, int], None]
    """Start or stop counting flows; count one packet of this many."""
    save_picture: Callable[[str], str]
    """Write the SVG text and return its path."""
    record: Callable[[], str] | None = None
    """Start or stop recording; return a sentence about the result. None: recording is not possible."""
