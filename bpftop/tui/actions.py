"""The table of actions: id, keys and help of everything that a person can do on the screen.

Textual is not imported: the configuration needs the ids.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from bpftop.fields import frozen, replace
from bpftop.model.captured_packet import DroppedPackets
from bpftop.model.packet_filter import PacketFilter
from bpftop.model.snapshot import Snapshot
from bpftop.tui.themes import FoundThemes, Theme


@frozen
class Action:
    """One entry of the table."""

    id: str
    """Named by ``keys`` in the configuration."""
    keys: str
    """Textual's names of the keys, separated by commas."""
    title: str
    """The action in a few words, for the palette."""
    help: str
    where: str = ""
    """The only place in which the action does something, as in "in 4 Flows"; empty: everywhere."""

    @property
    def first_key(self) -> str:
        """Return the first key as the screen shows it."""
        return shown_keys(self.keys).partition(" ")[0]


KEY_NAMES = {
    "question_mark": "?", "slash": "/", "left_square_bracket": "[", "right_square_bracket": "]", "escape": "esc",
    "at": "@", "left": "←", "right": "→", "up": "↑", "down": "↓", "shift+left": "shift+←", "shift+right": "shift+→",
    "left_parenthesis": "(", "right_parenthesis": ")", "ctrl+p": "^p", "comma": ",",
}  # fmt: skip


def shown_keys(keys: str) -> str:
    """Return the keys as the screen shows them, separated by spaces."""
    return " ".join(KEY_NAMES.get(key, key) for key in keys.split(",") if key)


IN_TABLES, IN_REPLAY, MEASURE = "in a table", "in a replay", "in 7 Measure"

ACTIONS: tuple[Action, ...] = (
    Action("overview", "1", "Overview", "What is wrong, what is lost, what arrives, and what it is made of."),
    Action("cpus", "2", "CPUs", "One row per CPU: which CPU does the work."),
    Action("path", "3", "Path", "Where packets are lost, stage by stage."),
    Action("flows", "4", "Flows", "Who talks to whom; all flows are counted only while this pane is open."),
    Action("bpf_programs", "5", "BPF programs", "Every BPF program: its cost, attachments and owners."),
    Action("bpf_maps", "6", "BPF maps", "Every BPF map: how full it is, who uses it, what is in it."),
    Action("measure", "7", "Measure", "What map operations and programs cost on this machine."),
    Action("findings", "8", "Findings", "What is wrong and why, past findings, checks that cannot run."),
    Action("palette", "ctrl+p", "Palette",
           "Find everything by its name: panes, actions, interfaces, CPUs, themes, moments of a replay."),
    Action("help", "question_mark,f1", "Help", "The keys and columns of this pane. Again, or esc: back."),
    Action("quit", "q,ctrl+c", "Quit", "Quit."),
    Action("back", "escape", "Back", "One step back: end a measurement, leave a detail, the selection, the filter, the "
           "pause, an offer, a notice."),
    Action("choose", "enter", "Open the row", "Look into the selected row: the flows of a protocol, a CPU, a stage.",
           IN_TABLES),
    Action("pause", "p", "Pause or go on", "Pause the screen; counting goes on. Again: live."),
    Action("earlier", "left,h", "One tick back",
           "One tick back and pause: through the last ten minutes, or a whole replay. In Measure: change a value."),
    Action("later", "right,l", "One tick forward", "One tick forward, while paused."),
    Action("much_earlier", "shift+left,H", "Ten ticks back", "Ten ticks back."),
    Action("much_later", "shift+right", "Ten ticks forward", "Ten ticks forward."),
    Action("next_finding", "right_parenthesis", "Next finding",
           "Go to the moment when the next finding was raised; live: in the last ten minutes."),
    Action("previous_finding", "left_parenthesis", "Previous finding",
           "Go to the moment when the previous finding was raised."),
    Action("seek", "at", "Go to a moment",
           "In a replay: go to a moment: 03:12, 03:12:44, 2025-11-26T03:12Z (UTC), -90, +5m.", IN_REPLAY),
    Action("speed", "f", "Ten times as fast", "In a replay: ten times as fast; again: at the recorded pace.",
           IN_REPLAY),
    Action("mark", "m", "Set or remove the mark",
           "Show changes since this moment instead of since a minute ago. Again: no mark."),
    Action("filter", "slash", "Filter rows",
           "Filter rows as you type: names, CPU numbers such as 0-3,8, stages and counters. Enter keeps, esc clears.",
           IN_TABLES),
    Action("sort", "s", "Sort by the next column", "Sort by the next column; after the last one, the usual order. A "
           "click on a title sorts by that column.", IN_TABLES),
    Action("reverse", "o", "Turn the order round", "Turn the sort order round.", IN_TABLES),
    Action("direction", "t", "RX or TX", "Switch between RX and TX: shares, changes, trends, sizes and CPUs."),
    Action("next_interface", "tab,right_square_bracket", "Next interface",
           "With several interfaces: the next interface, or the total."),
    Action("previous_interface", "shift+tab,left_square_bracket", "Previous interface",
           "Select the previous interface."),
    Action("other", "i", "The other list", "Give the keys to the next list of this pane: interfaces, results."),
    Action("wide", "w", "All CPUs as a strip", "In CPUs: all CPUs as one strip, a cell per CPU, instead of rows.",
           "in 2 CPUs"),
    Action("group", "b", "Group flows",
           "In Flows: group by address, port, process, container, or not at all. In Programs and Maps: by type or "
           "owner.",
           "in 4 Flows, 5 Programs and 6 Maps"),
    Action("names", "n", "Names of addresses",
           "In Flows: look up the names of the addresses on the screen; again: hide the names.", "in 4 Flows"),
    Action("sample", "N", "Count one flow packet in N",
           "In Flows: count every packet, 1 in 10, or 1 in 100; the last two are estimates.", "in 4 Flows"),
    Action("capture", "c", "Capture dropped packets",
           "In Path: write the packets that are dropped from now on, of the selected row or of all, to a file for "
           "Wireshark, and show its path. Again: end the file.", "in 3 Path"),
    Action("profile_map", "M", "Profile this map",
           "In Maps: measure the operations of the selected map, on copies of it, in Measure.", "in 6 Maps"),
    Action("kind", "v", "Map operations or programs", "In Measure: map operations, or programs.", MEASURE),
    Action("run", "R", "Measure", "In Measure: measure again. Esc cancels.", MEASURE),
    Action("down", "down,j", "Next row", "Select the next row.", IN_TABLES),
    Action("up", "up,k", "Row above", "Select the row above.", IN_TABLES),
    Action("page_down", "pagedown,space,ctrl+d", "A page down", "A page down.", IN_TABLES),
    Action("page_up", "pageup,ctrl+u", "A page up", "A page up.", IN_TABLES),
    Action("first", "g,home", "First row", "Select the first row.", IN_TABLES),
    Action("last", "G,end", "Last row", "Select the last row.", IN_TABLES),
    Action("copy", "y", "Copy",
           "Copy the selected row to the clipboard (OSC 52); with none selected, the whole screen."),
    Action("save", "S", "Save a snapshot", "Save this snapshot as a JSON document and show its path."),
    Action("save_screen", "V,ctrl+s", "Save a picture", "Save the screen as an SVG picture and show its path."),
    Action("record", "r", "Record", "Record every tick into a file, and show its path. Again: end the recording."),
    Action("log", "L", "Messages", "All messages and notices since the start."),
    Action("theme", "T", "Theme", "Choose a theme; the screen shows each one as you select it."),
    Action("settings", "comma", "Settings", "Change and keep the theme, the interval, the columns of this pane."),
    Action("accept", "x", "Accept the offer", "Accept what is offered above the keys; asks first."),
    Action("repaint", "ctrl+l", "Repaint",
           "Repaint the whole screen, for example after another program wrote on it."),
    Action("suspend", "ctrl+z", "Suspend", "Suspend bpftop; fg brings it back."),
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


class Captures(Protocol):
    """Copies of dropped packets. Nothing is in the kernel while nobody asks."""

    def watch(self, wanted: PacketFilter | None, names: Sequence[str]) -> None:
        """Keep the latest dropped packets of these interfaces from now on, instead of those before; None: end it."""

    def latest(self) -> DroppedPackets | None:
        """Return the packets that are kept; None while there is no watch."""

    def progress(self) -> str:
        """Return the size of the file that is being written; empty: there is none."""

    def to_file(self, wanted: PacketFilter, names: Sequence[str], title: str, begun: Callable[[str], object]) -> str:
        """Write packets to a file until a limit or ``end_file`` ends it. Return its path and its size.

        ``begun`` is called with the path as soon as the programs are attached. Raises BpftopError.
        """

    def end_file(self) -> bool:
        """End the file, if there is one. Return True if there is."""

    def close(self) -> None:
        """End everything, without waiting for it."""


@frozen
class Actions:
    """Side effects that the screen asks its caller for.

    Every function may raise BpftopError. All but the ``watch`` functions and ``change_interval`` may block: the app
    calls them in threads.
    """

    save_snapshot: Callable[[Snapshot], str]
    """Write the document and return its path."""
    accept_offer: Callable[[str], None]
    """Carry out the offer of the interface with this label."""
    watch_flows: Callable[[bool, int], None]
    """Start or stop counting flows; count one packet of this many."""
    watch_top_flows: Callable[[int], None]
    """Start or (0) stop counting the busiest flows alone, by one packet of this many."""
    watch_bpf: Callable[[bool], None]
    """Start or stop reading the BPF programs and maps at every tick."""
    save_picture: Callable[[str], str]
    """Write the SVG text and return its path."""
    themes: Callable[[], FoundThemes] = FoundThemes
    """Return all themes that can be chosen."""
    changed_theme: Callable[[str], Theme | None] = lambda name: None
    """Return the theme of this name if its file has changed since the last call. Raises UsageError."""
    save_settings: Callable[[Mapping[str, Any]], str] = lambda changes: ""
    """Write changed settings (field -> value, None: remove the field) and return the path of the file."""
    change_interval: Callable[[float], None] = lambda interval_s: None
    """Take the samples at another interval."""
    captures: Captures | None = None
    """None: there are no packets to capture, because the samples come from elsewhere."""
    record: Callable[[], str] | None = None
    """Start or stop recording; return a sentence about the result. None: recording is not possible."""
