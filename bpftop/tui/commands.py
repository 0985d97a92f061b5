"""Commands: pure functions from a PaneInput to the next View. Actions with side effects are in ``app``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib import import_module
from typing import get_args

from bpftop.model.findings import Finding
from bpftop.tui.panes.pane import Pane
from bpftop.tui.view import PaneInput, PaneName, Prompt, View
from bpftop.tui.widgets.line import clean
from bpftop.tui.widgets.verdict import MARKS

Command = Callable[[PaneInput, Pane], View]


def pause(pane_input: PaneInput, pane: Pane) -> View:
    """Pause the screen on its snapshot, or return to the newest snapshot."""
    return replace(pane_input.view, paused=None if pane_input.view.paused else pane_input.snapshot)


def scroll_history(pane_input: PaneInput, steps: int) -> View:
    """Go ``steps`` snapshots forward (negative: back) in the history and pause there."""
    if pane_input.view.paused is None and steps > 0:
        return pane_input.view
    return replace(pane_input.view, paused=pane_input.history.step(pane_input.snapshot.mono_ns, steps))


def go_to_finding(pane_input: PaneInput, later: bool) -> View:
    """Pause on the snapshot where the next (``later``) or the previous finding was raised, within the history."""
    now_ns = pane_input.snapshot.mono_ns
    raised: dict[int, Finding] = {}
    for episode in pane_input.history.episodes:
        if (episode.raised_ns > now_ns) is later and episode.raised_ns != now_ns:
            raised.setdefault(episode.raised_ns, episode.finding)
    for raised_ns in sorted(raised, reverse=not later):
        snapshot = pane_input.history.from_moment(raised_ns)
        if snapshot is not None and snapshot.mono_ns != now_ns:
            # the episode holds the latest numbers of the finding, the snapshot the numbers of its moment
            latest, at_moment = raised[raised_ns], {(f.id, f.scope_name): f for f in snapshot.diagnosis.findings}
            finding = at_moment.get((latest.id, latest.scope_name), latest)
            message = f"{MARKS[finding.severity]}  {clean(finding.title)} ({clean(finding.scope_name)})"
            return replace(pane_input.view, paused=snapshot, message=message)
    where = "after this moment" if later else "before this moment"
    return replace(pane_input.view, message=f"no finding was raised {where}, within the history of the screen")


def mark(pane_input: PaneInput, pane: Pane) -> View:
    """Set the mark that changes are compared with, or remove the mark."""
    view = pane_input.view
    return replace(view, mark=None if view.mark else pane_input.history.mark(pane_input.snapshot))


def open_filter(pane_input: PaneInput, pane: Pane) -> View:
    """Open the filter prompt. The help has no rows to filter."""
    view = pane_input.view
    return view if view.pane == "help" else replace(view, prompt=Prompt("filter", view.filter))


def sort(pane_input: PaneInput, pane: Pane) -> View:
    """Sort by the next column. The help keeps the sort order of the pane behind it."""
    view = pane_input.view
    return view if view.pane == "help" else view.sorted_by_next(pane.sort_ids(pane_input))


def reverse(pane_input: PaneInput, pane: Pane) -> View:
    """Reverse the sort order. The help keeps the sort order of the pane behind it."""
    view = pane_input.view
    return view if view.pane == "help" else replace(view, reverse=not view.reverse)


def wide(pane_input: PaneInput, pane: Pane) -> View:
    """Switch the pane of CPUs between rows and a strip."""
    view = pane_input.view
    return replace(view, wide=not view.wide, cursor="") if view.pane == "cpus" else view


def group(pane_input: PaneInput, pane: Pane) -> View:
    """Group the flows by the next property."""
    view = pane_input.view
    if view.pane != "flows":
        return view
    from bpftop.render.flow_rows import GROUPS  # imported with the pane of flows

    following = GROUPS[(GROUPS.index(view.group_by) + 1) % len(GROUPS)]
    return replace(view, group_by=following, cursor="", sort="", reverse=False)


def sample(pane_input: PaneInput, pane: Pane) -> View:
    """Count every packet for flows, then 1 in 10, then 1 in 100."""
    view = pane_input.view
    if view.pane != "flows":
        return view
    return replace(view, sample_1_in={1: 10, 10: 100}.get(view.sample_1_in, 1))


def help_or_back(pane_input: PaneInput, pane: Pane) -> View:
    """Open the help, or leave it."""
    view = pane_input.view
    return view.cleared() if view.pane == "help" else view.opened("help")


def direction(pane_input: PaneInput, pane: Pane) -> View:
    """Select the other direction."""
    return replace(pane_input.view, direction="tx" if pane_input.view.direction == "rx" else "rx")


def unchanged(pane_input: PaneInput, pane: Pane) -> View:
    """Keep the view: the action means something only to a measurement."""
    return pane_input.view


def live_only_message(pane_input: PaneInput, pane: Pane) -> View:
    """Say that the action needs a recording."""
    message = "this is a live screen, not a recording: p pauses it, and the arrows go back through ten minutes"
    return replace(pane_input.view, message=message)


def _open(name: PaneName) -> Command:
    return lambda pane_input, pane: pane_input.view.opened(name)


def _open_measuring(name: PaneName, cursor: str) -> Command:
    """Return a command that opens a pane that measures, if the compiled part of bpftop is installed."""

    def command(pane_input: PaneInput, pane: Pane) -> View:
        try:
            import_module("bpftop.measure.api")
        except ImportError as error:
            message = f"this pane measures on this machine and needs the compiled part of bpftop: {error}"
            return replace(pane_input.view, message=message)
        return replace(pane_input.view.opened(name), cursor=cursor)

    return command


def _scroll(steps: int) -> Command:
    return lambda pane_input, pane: scroll_history(pane_input, steps)


def _finding(later: bool) -> Command:
    return lambda pane_input, pane: go_to_finding(pane_input, later)


def _interface(steps: int) -> Command:
    return lambda pane_input, pane: pane_input.view.with_next_interface(pane_input.snapshot, steps)


def _move(steps: int | None, *, last: bool = False) -> Command:
    return lambda pane_input, pane: pane_input.view.moved(pane.keys(pane_input), steps, last=last)


def _page(sign: int) -> Command:
    return lambda pane_input, pane: pane_input.view.moved(pane.keys(pane_input), sign * max(1, pane_input.height // 2))


COMMANDS: Mapping[str, Command] = {
    "pause": pause,
    "mark": mark,
    "filter": open_filter,
    "sort": sort,
    "reverse": reverse,
    "seek": live_only_message,
    "speed": live_only_message,
    "next_finding": _finding(True),
    "previous_finding": _finding(False),
    **{name: _open(name) for name in get_args(PaneName)},
    "profile": _open_measuring("profile", "types"),
    "bench": _open_measuring("bench", "all"),
    "help": help_or_back,
    "direction": direction,
    "next_interface": _interface(1),
    "previous_interface": _interface(-1),
    "wide": wide,
    "group": group,
    "names": unchanged,
    "sample": sample,
    "earlier": _scroll(-1),
    "later": _scroll(1),
    "much_earlier": _scroll(-10),
    "much_later": _scroll(10),
    "down": _move(1),
    "up": _move(-1),
    "page_down": _page(1),
    "page_up": _page(-1),
    "first": _move(None),
    "last": _move(None, last=True),
    "choose": unchanged,
    "run": unchanged,
    "clear": lambda pane_input, pane: pane_input.view.cleared(),
}
"""Action id -> command."""


def filter_typed(view: View, key: str, character: str | None) -> View:
    """Return the view after a key in the filter prompt. The rows follow while the person types."""
    assert view.prompt is not None
    if key == "enter":
        return replace(view, prompt=None)
    if key in ("escape", "ctrl+c"):
        return replace(view, prompt=None, filter="")
    text = edited(view.prompt.text, key, character)
    return replace(view, prompt=Prompt("filter", text), filter=text.strip(), cursor="")


def edited(text: str, key: str, character: str | None) -> str:
    """Return the text of an input line after a key."""
    if key in ("backspace", "ctrl+h"):
        return text[:-1]
    if key == "ctrl+u":
        return ""
    return text + character if character and character.isprintable() and character.isascii() else text
