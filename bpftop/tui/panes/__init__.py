"""The table of panes: which class draws which tab."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING

from bpftop.fields import frozen

if TYPE_CHECKING:
    from bpftop.tui.panes.pane import Pane


@frozen
class PaneEntry:
    """Title of the tab, and module and class of the pane. The module is imported when the pane is first opened."""

    title: str
    module: str
    class_name: str

    def load(self) -> type[Pane]:
        """Return the class of the pane."""
        pane: type[Pane] = getattr(import_module(f"bpftop.tui.panes.{self.module}"), self.class_name)
        return pane


PANES: Mapping[str, PaneEntry] = {
    "overview": PaneEntry("Overview", "overview", "OverviewPane"),
    "cpus": PaneEntry("CPUs", "cpus", "CpusPane"),
    "path": PaneEntry("Path", "path", "PathPane"),
    "flows": PaneEntry("Flows", "flows", "FlowsPane"),
    "bpf_programs": PaneEntry("Programs", "bpf_programs", "BpfProgramsPane"),
    "bpf_maps": PaneEntry("Maps", "bpf_maps", "BpfMapsPane"),
    "measure": PaneEntry("Measure", "measure", "MeasurePane"),
    "findings": PaneEntry("Findings", "findings", "FindingsPane"),
}
"""Id of the action that opens the pane -> its entry, in the order of the tabs."""
