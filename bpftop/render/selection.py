"""The moment that a pane or document shows: a snapshot, the interface chosen in it, and its history."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from bpftop.history.history import History, MarkedRates
from bpftop.history.stage_totals import StageRow
from bpftop.model.path import Stage
from bpftop.model.snapshot import InterfaceSnapshot, Snapshot


@dataclass(frozen=True)
class Selection:
    """What is looked at: a moment, an interface of it (or the total), and what came before."""

    shown: Snapshot
    watched: InterfaceSnapshot
    history: History
    mark: MarkedRates | None = None

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """The interfaces that are looked at: for the total, those that are part of it."""
        return self.shown.labels(self.watched)

    def rows(self, stage: Stage) -> tuple[StageRow, ...]:
        return tuple((label, stage.id) for label in self.labels) if stage.scope == "interface" else (("", stage.id),)
