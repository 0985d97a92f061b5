"""Keys in a replay: play and pause, step, jump, pace. Pure but for the replay that they command."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from bpftop.errors import UsageError
from bpftop.tui.commands import edited
from bpftop.tui.view import Frame, Prompt, View

if TYPE_CHECKING:
    from bpftop.store.replay import Replay

STEPS: Mapping[str, int] = {"earlier": -1, "later": 1, "much_earlier": -10, "much_later": 10}


def pressed(name: str, frame: Frame, replay: Replay) -> View | None:
    """What an action does in a replay, where that is something else than in a live session."""
    view = frame.view
    if name == "pause":
        replay.play(view.paused is not None or not replay.playing)
        return replace(view, paused=None)
    if name == "speed":
        replay.turn()
        return view
    if name == "seek":
        return replace(view, prompt=Prompt("seek"), message="")
    return _stepped(frame, replay, STEPS[name]) if name in STEPS else None


def typed(view: View, key: str, character: str | None, replay: Replay, near_ns: int) -> View:
    """A key while a moment is being typed; ``near_ns`` is the wall clock of what is shown."""
    assert view.prompt is not None
    if key in ("escape", "ctrl+c"):
        return replace(view, prompt=None)
    if key != "enter":
        return replace(view, prompt=Prompt("seek", edited(view.prompt.text, key, character)))
    from bpftop.store.moments import moment

    extent = replay.recording.extent()
    if extent is None or not view.prompt.text.strip():
        return replace(view, prompt=None)
    try:
        wanted_ns = moment(view.prompt.text, extent.begin_ns, extent.end_ns, near_ns)
    except UsageError as error:
        return replace(view, prompt=None, message=str(error))
    replay.seek(wanted_ns)
    return replace(view, prompt=None, paused=None)


def _stepped(frame: Frame, replay: Replay, steps: int) -> View:
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
    replay.step(steps, frame.shown.wall_ns)
    return replace(view, paused=None)
