"""Words around the pane: the hints for its keys, and the recording that is being made."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bpftop.model.units import si, since

if TYPE_CHECKING:
    from bpftop.store.recorder import RecordingProgress
    from bpftop.tui.moment import Place
    from bpftop.tui.panes.pane import Pane

REPLAY_HINTS = (("pause", "pause"), ("next_finding", "finding"), ("seek", "go to"), ("speed", "10x"))


def recording_words(progress: RecordingProgress) -> str:
    """Return ``3 min, 1.24 MB``, always of the same width."""
    return f"{since(progress.duration_s):>6}, {si(progress.size_bytes, 'B'):>7}"


def hints_of(pane: Pane, place: Place, in_replay: bool, app_actions: Sequence[str]) -> Sequence[tuple[str, str]]:
    """Return the hints of a pane; in a replay its own first, and among the details of a row the way back."""
    if in_replay:
        return (*REPLAY_HINTS, *(hint for hint in pane.hints if hint not in REPLAY_HINTS))
    if not place.row:
        return pane.hints
    everywhere = ((action, word) for action, word in pane.hints if action in app_actions)
    return (("back", "back"), *pane.detail_hints, *everywhere)
