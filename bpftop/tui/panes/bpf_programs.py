"""Pane 5: every BPF program of the machine, what it costs, where it is attached and who holds it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

from textual.widget import Widget

from bpftop.render.bpf.loaded_programs import LOADED_PROGRAM_COLUMNS, LoadedProgramLine, recorded_program_lines
from bpftop.render.columns import Column
from bpftop.tui.measurements.background_text import BackgroundText
from bpftop.tui.measurements.bpf_object_texts import program_text
from bpftop.tui.moment import Moment
from bpftop.tui.panes.bpf_objects import BpfObjectHead, BpfObjectsPane, BpfObjectTable
from bpftop.tui.widgets.detail import RowDetail
from bpftop.tui.widgets.line import Line, clean, line
from bpftop.tui.widgets.scroller import TextPanel


class ProgramTable(BpfObjectTable[LoadedProgramLine]):
    """The programs, the program that takes most CPU time first, or below each other by a group."""

    def columns(self, moment: Moment) -> Sequence[Column[LoadedProgramLine]]:
        return LOADED_PROGRAM_COLUMNS

    def object_lines(self, moment: Moment) -> Sequence[LoadedProgramLine]:
        return recorded_program_lines(moment.snapshot)


class ProgramHead(BpfObjectHead[LoadedProgramLine]):
    """The number of programs, their CPU time, and what run statistics add to each run."""

    def cost(self, moment: Moment, lines: Sequence[LoadedProgramLine]) -> Sequence[tuple[str, str]]:
        reading = moment.snapshot.reading("bpf_statistics")
        if reading is None or not reading.value((), "are_on"):
            return [("  run statistics are off: no rates", "notice")]
        busy_pct = sum(each.rates.cpu_pct or 0.0 for each in lines)
        added_ns = (reading.value((), "added_ps") or 0) / 1000
        return [(f"  {busy_pct:.2f} % of a CPU", "text"), (f"  {added_ns:.0f} ns of statistics taken off", "muted")]


class InstructionPanel(TextPanel):
    """The translated instructions of the chosen program, with their source lines, read once per program."""

    def __init__(self, reader: BackgroundText) -> None:
        super().__init__()
        self._reader = reader

    def text_lines(self, moment: Moment, width: int) -> list[Line]:
        key = moment.frame.place.row
        if not moment.live:
            return [line(("A recording has no instructions.", "muted"))]
        texts = self._reader.lines(int(key)) if key.isdecimal() else ()
        roles = (("muted" if each.startswith(";") else "text", each) for each in texts)
        return [line(("─" * (width + 2), "muted")), *(line((clean(each), role)) for role, each in roles)]


class BpfProgramsPane(BpfObjectsPane):
    """The table of programs; the details of one are all its columns and its instructions."""

    DEFAULT_CSS = """
    BpfProgramsPane ProgramHead { height: 1; }
    BpfProgramsPane ProgramTable { height: 1fr; }
    BpfProgramsPane RowDetail { height: 1fr; }
    BpfProgramsPane InstructionPanel { height: 2fr; }
    """
    title = "Programs"
    hints: ClassVar = (("choose", "details"), ("group", "group"), ("filter", "filter"), ("sort", "sort"),
                       ("pause", "pause"))  # fmt: skip
    columns = LOADED_PROGRAM_COLUMNS
    terms = (
        ("run statistics", "The kernel counts and times every run of every BPF program while this pane is open. That "
         "costs each run two clock readings; their distance is measured and taken off."),
        ("held by", "Processes with a file descriptor of the program or of a link to it, from a BPF iterator over all "
         "open files, with container or unit by their cgroup."),
    )  # fmt: skip

    def compose_list(self) -> Iterator[Widget]:
        self._programs = ProgramTable()
        yield from (ProgramHead("Programs", self._programs), self._programs)

    def compose_detail(self) -> Iterator[Widget]:
        self._reader = BackgroundText(self.engines.get("program_text") or program_text, self.redraw_soon)
        yield from (RowDetail(self.table), InstructionPanel(self._reader))

    def table(self) -> ProgramTable:
        return self._programs
