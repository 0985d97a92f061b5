"""The selection of a moment of literal samples, as the Path pane gets it."""

from __future__ import annotations

from bpftop.history.history import History
from bpftop.model.sample import Sample
from bpftop.render.path_rows import StageLine, stage_lines
from bpftop.render.selection import Selection


def pushed(*samples: Sample) -> History:
    """Return a History that has got the samples."""
    history = History()
    for sample in samples:
        history.push(sample)
    return history


def looked(history: History, index: int = -1, label: str | None = None) -> Selection:
    """Return the selection of one snapshot: the total, or the interface of that label."""
    snapshot = history.at(index)
    return Selection(snapshot, snapshot.total if label is None else snapshot.interface(label), history)


def line(history: History, stage: str, index: int = -1, label: str | None = None) -> StageLine:
    """Return the line of a stage of the path."""
    return next(each for each in stage_lines(looked(history, index, label)) if each.stage.id == stage)
