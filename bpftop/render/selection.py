"""The selection of a pane or document: a snapshot, an interface in it, and the history before it."""

from __future__ import annotations

from bpftop.fields import computed_once, frozen
from bpftop.history.history import History, MarkedRates
from bpftop.history.stage_totals import StageRow
from bpftop.model.snapshot import InterfaceSnapshot, Snapshot
from bpftop.model.stages import Stage


@frozen
class Selection:
    """A snapshot, an interface of the snapshot (or the total), the history, and the mark, if any."""

    snapshot: Snapshot
    interface: InterfaceSnapshot
    history: History
    mark: MarkedRates | None = None

    @computed_once
    def labels(self) -> tuple[str, ...]:
        """Return the label of the interface; for the total, the labels of the interfaces in the sum."""
        return self.snapshot.labels(self.interface)

    def rows(self, stage: Stage) -> tuple[StageRow, ...]:
        """Return the rows of the history that a stage adds up."""
        return tuple([(label, stage.id) for label in self.labels]) if stage.scope == "interface" else (("", stage.id),)
