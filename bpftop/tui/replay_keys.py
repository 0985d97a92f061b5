"""Keys in a replay: play and pause, step, jump, pace. Pure but for the replay that they command."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from bpftop.errors import BpftopError
from bpftop.tui.commands import edited, to_finding
from bpftop.tui.view import PaneInput, Prompt, View
from bpftop.tui.widgets.line import clean
from bpftop.tui.widgets.verdict import MARKS

if TYPE_CHECKING:
    from bpftop.store.replay import Replay

STEPS: Mapping[str, int] = {"earlier": -1, "later": 1, "much_earlier": -10, "much_later": 10}
FINDINGS: Mapping[str, bool] = {"next_finding": True, "previous_finding": False}


def pressed(name: str, frame: PaneInput, replay: Replay) -> View | None:
    """What an action does in a replay, where that is something else than in a live session."""
    try:
        return _pressed(name, frame, replay)
    except BpftopError as error:  # the recording cannot be read any more
        return replace(frame.view, message=clean(str(error)))


def _pressed(name: str, frame: PaneInput, replay: Replay) -> View | None:
    view = frame.view
    if name == "pause":
        replay.play(view.paused is not None or not replay.playing)
        return replace(view, paused=None)
    if name == "speed":
        replay.toggle_speed()
        return view
    if name == "seek":
        return replace(view, prompt=Prompt("seek"), message="")
    if name in FINDINGS:
        return _to_finding(frame, replay, FINDINGS[name])
    return _stepped(frame, replay, STEPS[name]) if name in STEPS else None


def typed(view: View, key: str, character: str | None, replay: Replay, near_ns: int) -> View:
    """A key while a moment is being typed; ``near_ns`` is the wall clock of what is shown."""
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
        wanted_ns = moment(view.prompt.text, extent.begin_ns, extent.end_ns, near_ns)
    except BpftopError as error:
        return replace(view, prompt=None, message=clean(str(error)))
    replay.go_to_time(wanted_ns)
    return replace(view, prompt=None, paused=None)


def _stepped(frame: PaneInput, replay: Replay, steps: int) -> View:
    """Within the history that is the quick way; a jump where that does not go as far, or has not every tick."""
    view = frame.view
    if view.paused is None and steps > 0:
        replay.step(steps)
        return view
    replay.play(False)
    to = frame.history.step(frame.shown.mono_ns, steps)
    if to.mono_ns >= frame.newest_ns:
        return replace(view, paused=None)
    if to.seq - frame.shown.seq == steps:
        return replace(view, paused=to)
    replay.go_to(replay.tick_of(frame.shown.mono_ns) + steps)
    return replace(view, paused=None)


def _to_finding(frame: PaneInput, replay: Replay, later: bool) -> View:
    """From the list in the recording; where that has none, within what was played."""
    from bpftop.model.timestamps import rfc3339_seconds

    if not replay.recording.lists_findings:
        return to_finding(frame, later)
    found = replay.recording.finding(replay.tick_of(frame.shown.mono_ns), later=later)
    if found is None:
        said = f"no finding was raised {'after' if later else 'before'} this moment of the recording"
        return replace(frame.view, message=said)
    replay.go_to(found.tick)
    more = f" and {found.more} more" if found.more else ""
    over = f"over {rfc3339_seconds(found.end_wall_ns)}" if found.end_wall_ns else "not over at the end of its recording"
    what = f"{MARKS.get(found.severity, '')} {found.title} ({found.scope_name}){more}"
    return replace(frame.view, paused=None, message=clean(f"{what}, raised {rfc3339_seconds(found.wall_ns)}, {over}"))
