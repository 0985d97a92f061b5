"""Keys that act on a replay: play and pause, step, seek, speed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from bpftop.errors import BpftopError
from bpftop.tui.commands import edited, go_to_finding
from bpftop.tui.view import PaneInput, Prompt, View
from bpftop.tui.widgets.line import clean
from bpftop.tui.widgets.verdict import MARKS

if TYPE_CHECKING:
    from bpftop.store.replay import Replay

STEPS: Mapping[str, int] = {"earlier": -1, "later": 1, "much_earlier": -10, "much_later": 10}
FINDINGS: Mapping[str, bool] = {"next_finding": True, "previous_finding": False}


def pressed(name: str, pane_input: PaneInput, replay: Replay) -> View | None:
    """Return the view after an action that acts on the replay; None: the action means the same as on a live screen."""
    try:
        return _pressed(name, pane_input, replay)
    except BpftopError as error:  # the recording became unreadable
        return replace(pane_input.view, message=clean(str(error)))


def _pressed(name: str, pane_input: PaneInput, replay: Replay) -> View | None:
    view = pane_input.view
    if name == "pause":
        replay.play(view.paused is not None or not replay.playing)
        return replace(view, paused=None)
    if name == "speed":
        replay.toggle_speed()
        return view
    if name == "seek":
        return replace(view, prompt=Prompt("seek"), message="")
    if name in FINDINGS:
        return _go_to_finding(pane_input, replay, FINDINGS[name])
    return _stepped(pane_input, replay, STEPS[name]) if name in STEPS else None


def time_typed(view: View, key: str, character: str | None, replay: Replay, near_ns: int) -> View:
    """Return the view after a key in the seek prompt; enter seeks.

    Args:
        near_ns: Wall clock of the snapshot on the screen; a time of day means its occurrence nearest to this.
    """
    assert view.prompt is not None
    if key in ("escape", "ctrl+c"):
        return replace(view, prompt=None)
    if key != "enter":
        return replace(view, prompt=Prompt("seek", edited(view.prompt.text, key, character)))
    from bpftop.store.time_expressions import moment

    try:
        extent = replay.recording.extent()
        if extent is None or not view.prompt.text.strip():
            return replace(view, prompt=None)
        target_ns = moment(view.prompt.text, extent.begin_ns, extent.end_ns, near_ns)
    except BpftopError as error:
        return replace(view, prompt=None, message=clean(str(error)))
    replay.go_to_time(target_ns)
    return replace(view, prompt=None, paused=None)


def _stepped(pane_input: PaneInput, replay: Replay, steps: int) -> View:
    """Step within the history. Seek in the recording if the history ends before, or lacks a tick on the way."""
    view, snapshot = pane_input.view, pane_input.snapshot
    if view.paused is None and steps > 0:
        replay.step(steps)
        return view
    replay.play(False)
    target = pane_input.history.step(snapshot.mono_ns, steps)
    if target.mono_ns >= pane_input.newest_ns:
        return replace(view, paused=None)
    if target.seq - snapshot.seq == steps:
        return replace(view, paused=target)
    replay.go_to(replay.tick_of(snapshot.mono_ns) + steps)
    return replace(view, paused=None)


def _go_to_finding(pane_input: PaneInput, replay: Replay, later: bool) -> View:
    """Seek to the next or previous finding in the recording's list; without a list, in the history."""
    from bpftop.model.timestamps import rfc3339_seconds

    if not replay.recording.lists_findings:
        return go_to_finding(pane_input, later)
    row = replay.recording.finding(replay.tick_of(pane_input.snapshot.mono_ns), later=later)
    if row is None:
        message = f"no finding was raised {'after' if later else 'before'} this moment of the recording"
        return replace(pane_input.view, message=message)
    replay.go_to(row.tick)
    more = f" and {row.more} more" if row.more else ""
    end = f"over {rfc3339_seconds(row.end_wall_ns)}" if row.end_wall_ns else "not over at the end of its recording"
    title = f"{MARKS.get(row.severity, '')} {row.title} ({row.scope_name}){more}"
    return replace(
        pane_input.view, paused=None, message=clean(f"{title}, raised {rfc3339_seconds(row.wall_ns)}, {end}")
    )
