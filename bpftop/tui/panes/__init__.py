"""The panes by name."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bpftop.tui.panes.pane import Pane

PANES = {
    "overview": "bpftop.tui.panes.overview",
    "cpus": "bpftop.tui.panes.cpus",
    "path": "bpftop.tui.panes.path",
    "flows": "bpftop.tui.panes.flows",
    "profile": "bpftop.tui.panes.maps",
    "bench": "bpftop.tui.panes.programs",
    "findings": "bpftop.tui.panes.findings",
    "help": "bpftop.tui.panes.help",
}
"""Pane name -> the module whose PANE it is."""


def load_pane(name: str) -> Pane:
    """Return the pane. Its module is imported on the first call, so the first screen imports one pane."""
    pane: Pane = import_module(PANES[name]).PANE
    return pane
